import t from 'tap'
import { apache } from './apache.ts'
import { proxySuite } from './suite.ts'

proxySuite(t, apache)
