import t from 'tap'
import { proxySuite } from './suite.ts'
import { varnish } from './varnish.ts'

proxySuite(t, varnish)
