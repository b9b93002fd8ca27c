import t from 'tap'
import { caddy } from './caddy.ts'
import { proxySuite } from './suite.ts'

proxySuite(t, caddy)
