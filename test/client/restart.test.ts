import t from 'tap'
import type { Transport } from '../../client/index.ts'
import { cli, startApp, urlFrom } from '../child.ts'
import { post } from '../helper.ts'
import { open, range, Taken } from './helper.ts'

const ALL: readonly Transport[] = ['ws', 'sse', 'longpoll', 'poll']
const JSON_TYPE = { 'content-type': 'application/json' }

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  t.test(`the server ends by ${signal} and starts again: one gap, then all of the new log`, async (t) => {
    const { child, url } = await startApp(t)
    const { port } = new URL(url)
    const feeds = [...ALL.map((transport) => [transport]), ALL].map(
      (transports) => new Taken(open(t, url, { transports, cursor: 'earliest' })),
    )
    for (const i of range(1, 5)) await post(`${url}/publish`, `${i}`, JSON_TYPE)
    for (const taken of feeds) await taken.until(5)

    child.process.kill(signal)
    await child.ended
    await urlFrom(cli(t, ['--port', port]))

    for (const i of range(6, 10)) await post(`${url}/publish`, `${i}`, JSON_TYPE)
    for (const taken of feeds) {
      t.same(await taken.until(10), range(1, 10), taken.feed.transport)
      t.same(taken.gaps, ['epoch'])
    }
  })
}
