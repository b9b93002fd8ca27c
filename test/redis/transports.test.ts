import t from 'tap'
import { asker, streamer, talker } from '../clients.ts'
import { type Made, type MakeSite, transportSuite } from '../transport.suite.ts'
import { NO_FILE, needsRedis, RedisServer } from './server.ts'
import { pairAt } from './site.ts'

/*
 * The transports' suite where the log is in Redis: another instance than the one that publishes serves the clients. Streams and sockets
 * once more with every message compressed.
 */

const made: Made[] = [
  { name: 'poll', raw: false, make: asker('/poll', false) },
  { name: 'longpoll', raw: false, make: asker('/longpoll', false) },
  { name: 'sse', raw: false, make: streamer(false) },
  { name: 'ws', raw: false, make: talker(false) },
]

if (needsRedis(t)) {
  const { url } = await RedisServer.start(t, NO_FILE)
  for (const [i, each] of made.entries()) transportSuite(t, each, [made[(i + 1) % made.length]!], pairAt(url))

  const compressed: MakeSite = (t, options) => pairAt(url)(t, { ...options, compression: { threshold: 0 } })
  const [poll, , sse, ws] = made as [Made, Made, Made, Made]
  t.test('compressed', async (t) => {
    for (const each of [sse, ws]) transportSuite(t, each, [poll], compressed)
  })
}
