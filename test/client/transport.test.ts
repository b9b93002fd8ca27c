import t from 'tap'
import { EventSource } from 'undici'
import { WebSocket } from 'ws'
import type { ConnectOptions } from '../../client/index.ts'
import { transportSuite } from './transport.suite.ts'

const Source = EventSource as unknown as NonNullable<ConnectOptions['EventSource']>
const Socket = WebSocket as unknown as NonNullable<ConnectOptions['WebSocket']>

t.test('poll', async (t) => transportSuite(t, 'poll'))
t.test('long poll', async (t) => transportSuite(t, 'longpoll'))
t.test('server-sent events', async (t) => transportSuite(t, 'sse'))
t.test('server-sent events over an EventSource', async (t) =>
  transportSuite(t, 'sse', { EventSource: Source }),
)
t.test('WebSocket', async (t) => transportSuite(t, 'ws'))
t.test('WebSocket of ws', async (t) => transportSuite(t, 'ws', { WebSocket: Socket }))
