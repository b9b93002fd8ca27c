import t from 'tap'
import { stunnel } from './stunnel.ts'
import { proxySuite } from './suite.ts'

proxySuite(t, stunnel)
