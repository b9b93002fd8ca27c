import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { type TidingsOptions, websocketOptions } from '../index.ts'
import { build, until } from './helper.ts'
import { maskedFrame, OPCODE, openRawSocket, type RawSocket } from './raw-socket.ts'

/** A socket whose client stops reading once it has its place, and the server's side of it. */
async function stopped(t: Test, options: TidingsOptions) {
  const built = await build(t, options, {
    before: (app: FastifyInstance) => app.register(fastifyWebsocket, websocketOptions()),
  })
  const raw = await openRawSocket(t, built.port, '/ws')
  const { cursor } = await raw.json()
  raw.socket.pause()
  const [server] = built.app.websocketServer.clients
  return { ...built, raw, cursor, server: server! }
}

/** Publishes until the socket takes no more, and then as much again. @returns how many */
async function overfill(app: FastifyInstance): Promise<number> {
  const { log } = app.tidings.bus
  const publish = async () => {
    await app.tidings.publish('default', 'x'.repeat(60_000))
    await new Promise(setImmediate)
  }
  while (log.groups.watching > 0) await publish()
  const half = log.head
  while (log.head < half * 2) await publish()
  return log.head
}

/** What the kernel had for the client, up to the end: whole frames. */
async function readOn(raw: RawSocket): Promise<{ seen: string[]; close: number | undefined }> {
  raw.socket.resume()
  await raw.closed
  const seen: string[] = []
  let close: number | undefined
  for (const { opcode, payload } of raw.rest) {
    if (opcode === OPCODE.close) close = payload.readUInt16BE()
    else seen.push(JSON.parse(payload.toString()).cursor)
  }
  return { seen, close }
}

t.test('a client that takes nothing is ended, and loses nothing', async (t) => {
  const retention = { bytes: 512 * 1024 * 1024 }
  const { app, url, raw, cursor, server } = await stopped(t, { slowConsumer: { timeout: 100 }, retention })
  const total = await overfill(app)
  await until(() => server.readyState === server.CLOSED)
  const { log } = app.tidings.bus
  const { seen } = await readOn(raw)
  t.ok(seen.length < total, 'not all had been sent')
  let at = seen.at(-1) ?? cursor
  for (let more = true; more; ) {
    const response = await fetch(`${url}/poll?limit=1000&cursor=${at}`)
    const body = (await response.json()) as { messages: { cursor: string }[]; cursor: string; more: boolean }
    seen.push(...body.messages.map((message) => message.cursor))
    more = body.more
    at = body.cursor
  }
  t.strictSame(
    seen,
    Array.from({ length: total }, (_, i) => log.cursor(i + 1)),
  )
})

t.test('one that reads again in time gets the code, behind what waited', async (t) => {
  const { app, raw, server } = await stopped(t, {
    slowConsumer: { timeout: 100 },
    retention: { bytes: 512 * 1024 * 1024 },
  })
  await overfill(app)
  await until(() => server.readyState === server.CLOSING)
  const { log } = app.tidings.bus
  raw.socket.resume()
  const seen: string[] = []
  // Destroyed after a second: on a machine that is busy it may come to that.
  const gone = raw.closed.then(() => undefined)
  for (;;) {
    const frame = await Promise.race([raw.next(), gone])
    if (frame === undefined) break
    if (frame.opcode === OPCODE.close) {
      t.equal(frame.payload.readUInt16BE(), 4008)
      raw.socket.write(maskedFrame(OPCODE.close, Buffer.of(0x0f, 0xa8)))
      break
    }
    seen.push(JSON.parse(frame.payload.toString()).cursor)
  }
  await raw.closed
  t.ok(seen.length > 0)
  t.strictSame(
    seen,
    seen.map((_, i) => log.cursor(i + 1)),
  )
})

t.test('answers that nobody reads are bounded', async (t) => {
  for (const frame of [
    maskedFrame(OPCODE.text, JSON.stringify({ type: 'ping', ref: 'x'.repeat(60_000) })),
    maskedFrame(OPCODE.ping, 'x'.repeat(125)),
  ]) {
    const { raw, server } = await stopped(t, { slowConsumer: { bytes: 1000, timeout: 600_000 } })
    const piece = Buffer.concat(Array(Math.ceil(200_000 / frame.length)).fill(frame))
    let most = 0
    while (server.readyState === server.OPEN) {
      raw.socket.write(piece)
      most = Math.max(most, server.bufferedAmount)
      await new Promise(setImmediate)
    }
    await until(() => server.readyState === server.CLOSED)
    t.ok(most < 16 * 1024 * 1024, `${most} bytes waited`)
  }
})

t.test('one that adds a channel behind a hole is told once, and misses nothing else', async (t) => {
  let asked = false
  const { app, raw } = await stopped(t, {
    authorize: (_request, { channels }) => {
      asked = channels.includes('b')
      return true
    },
    slowConsumer: { bytes: 1024 * 1024 * 1024 },
    retention: { messages: 2000, bytes: 1024 * 1024 * 1024 },
  })
  const { log } = app.tidings.bus
  const { cursor } = await app.tidings.publish('b', 0)
  while (log.groups.watching > 0) {
    await app.tidings.publish('default', 'x'.repeat(60_000))
    await new Promise(setImmediate)
  }
  const expected: number[] = []
  for (let i = 1; i <= 2100; i++) {
    await app.tidings.publish('b', i)
    if (i > 100) expected.push(i)
    if (i % 100 === 0) await app.tidings.publish('default', 'between')
  }
  const inDefault = log
    .read(['default'], 0, { limit: 9999, bytes: 1e12 })
    .entries.map(({ seq }) => log.cursor(seq))
  const floor = log.cursor(log.floor(['b']))
  raw.send({ type: 'subscribe', channel: 'b', cursor, ref: 1 })
  await until(() => asked)
  await new Promise(setImmediate)
  raw.socket.resume()

  const gaps: unknown[] = []
  const seen: Record<string, unknown[]> = { default: [], b: [] }
  for (let subscribed = false; !subscribed || seen.b!.length < expected.length; ) {
    const frame = await raw.json()
    if (frame.type === 'gap') gaps.push(frame)
    else if (frame.type === 'subscribed') subscribed = true
    else seen[frame.channel]!.push(frame.channel === 'b' ? frame.data : frame.cursor)
  }
  t.strictSame(gaps, [{ type: 'gap', reason: 'trimmed', cursor: floor, channel: 'b', ref: 1 }])
  t.strictSame(seen.b, expected)
  t.strictSame(seen.default, inDefault)
})
