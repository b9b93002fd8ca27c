import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import type { FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { build, live, until } from './helper.ts'

// Over HTTP/2 a client may take nothing of one stream while the connection is alive: its window stays shut.

/** A session whose streams take this much, and no more until they are read. */
async function session(t: Test, timeout: number, initialWindowSize: number) {
  const built = await build(
    t,
    { stats: true, slowConsumer: { timeout }, heartbeat: { sse: 10 } },
    { server: { http2: true } as unknown as FastifyServerOptions },
  )
  const client = connect(built.url, { settings: { initialWindowSize } })
  t.teardown(() => client.destroy())
  await once(client, 'remoteSettings')
  const open = async (): Promise<number> => {
    const { text } = await read(client, '/stats')
    const { transports } = JSON.parse(text)
    return transports.sse.open + transports.poll.open
  }
  return { ...built, client, open }
}

/** A request that is not read. */
function stall(
  client: ClientHttp2Session,
  path: string,
): { stream: ClientHttp2Stream; closed: Promise<void> } {
  const stream = client.request({ ':path': path })
  stream.pause()
  stream.on('error', () => {})
  return { stream, closed: new Promise((resolve) => stream.once('close', () => resolve())) }
}

/** The whole of an answer, and how it ended. */
async function read(
  client: ClientHttp2Session,
  path: string,
): Promise<{ text: string; code: number | undefined }> {
  const stream = client.request({ ':path': path }).setEncoding('utf8')
  let text = ''
  stream.on('data', (part) => {
    text += part
  })
  await once(stream, 'close')
  return { text, code: stream.rstCode }
}

t.test('a stream of events that takes nothing is ended, however little waits', async (t) => {
  const { app, client, open } = await session(t, 200, 0)
  const { stream, closed } = stall(client, '/sse')
  await once(stream, 'response')
  await live(app, 1)
  // The session goes on: this is what its socket takes.
  const alive = setInterval(() => client.ping(() => {}), 5)
  t.teardown(() => clearInterval(alive))
  await until(() => app.tidings.bus.log.groups.watching === 0)
  stream.resume()
  await closed
  t.notOk(client.closed || client.destroyed, 'the session lives')
  client.settings({ initialWindowSize: 65_535 })
  t.equal(await open(), 0)
})

t.test('so is the answer to a poll', async (t) => {
  const { app, client, open } = await session(t, 200, 1000)
  await app.tidings.publish('default', 'x'.repeat(50_000))
  const { stream, closed } = stall(client, '/poll?cursor=earliest')
  await once(stream, 'response')
  while ((await open()) > 0) client.ping(() => {})
  stream.resume()
  await closed
  t.notOk(client.closed || client.destroyed, 'the session lives')
})

t.test('one that is read slowly gets all of a large answer', async (t) => {
  const timeout = 100
  const { app, client } = await session(t, timeout, 16_384)
  for (let i = 0; i < 15; i++) await app.tidings.publish('default', 'x'.repeat(64_000))
  const { stream, closed } = stall(client, '/poll?cursor=earliest&limit=1000')
  const began = performance.now()
  let size = 0
  stream.on('data', (part: Buffer) => {
    size += part.length
    stream.pause()
    setTimeout(() => stream.resume(), 4)
  })
  stream.resume()
  await closed
  t.equal(stream.rstCode, 0)
  t.ok(size > 960_000, `${size} bytes`)
  t.ok(performance.now() - began > timeout, 'it took longer than a client may take nothing')
})
