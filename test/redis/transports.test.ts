import t from 'tap'
import { asker, streamer, talker } from '../clients.ts'
import { type Made, transportSuite } from '../transport.suite.ts'
import { NO_FILE, needsRedis, RedisServer } from './server.ts'
import { pairAt } from './site.ts'

/*
 * The transports' suite where the log is in Redis: another instance than the one that publishes serves the clients.
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
}
