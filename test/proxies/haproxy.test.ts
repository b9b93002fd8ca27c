import t from 'tap'
import { haproxy } from './haproxy.ts'
import { proxySuite } from './suite.ts'

proxySuite(t, haproxy)
