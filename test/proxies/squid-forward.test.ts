import t from 'tap'
import { squidForward } from './squid.ts'
import { proxySuite } from './suite.ts'

proxySuite(t, squidForward)
