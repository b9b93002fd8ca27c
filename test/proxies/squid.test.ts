import t from 'tap'
import { squid } from './squid.ts'
import { proxySuite } from './suite.ts'

proxySuite(t, squid)
