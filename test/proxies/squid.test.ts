import t from 'tap'
import { squid, squidForward } from './squid.ts'
import { proxySuite } from './suite.ts'

for (const kind of [squid, squidForward]) proxySuite(t, kind)
