import t from 'tap'
import { nginx } from './nginx.ts'
import { proxySuite } from './suite.ts'

proxySuite(t, nginx)
