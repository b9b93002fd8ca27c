import { once } from 'node:events'
import fastifyWebsocket from '@fastify/websocket'
import t from 'tap'
import { websocketOptions } from '../index.ts'
import { waitingBytes } from '../routes/http/node-internals.ts'
import { build, openSocket, until } from './helper.ts'
import { maskedFrame, OPCODE, openRawSocket } from './raw-socket.ts'

const heartbeat = { ws: 32 }
const TURNS = 16

/*
 * The heartbeat's timer is driven by the tests: a client that answers late on a busy machine is not silent.
 */
const timers = new Map<NodeJS.Timeout, () => void>()
const { setInterval, clearInterval } = globalThis
globalThis.setInterval = ((callback: () => void, delay: number) => {
  const driven = delay === heartbeat.ws / TURNS
  const timer = setInterval(callback, driven ? 2 ** 30 : delay)
  if (driven) timers.set(timer, callback)
  return timer
}) as typeof setInterval
globalThis.clearInterval = (timer) => {
  timers.delete(timer as NodeJS.Timeout)
  clearInterval(timer)
}

/** Each socket of every app here gets its heartbeat once. */
function beat(): void {
  for (let turn = 0; turn < TURNS; turn++) for (const callback of [...timers.values()]) callback()
}

/** Registered by the test, so that it sees the server's side. */
const before = (app: Parameters<NonNullable<Parameters<typeof build>[2]>['before'] & object>[0]) =>
  app.register(fastifyWebsocket, websocketOptions())

t.test('a client that answers pings lives, one that is silent is ended', async (t) => {
  const { url, port } = await build(t, { heartbeat })
  const living = await openSocket(t, `${url}/ws`)
  let pings = 0
  living.ws.on('ping', () => pings++)
  const silent = await openRawSocket(t, port, '/ws')
  let closed = false
  silent.closed.then(() => {
    closed = true
  })
  for (let beats = 1; beats <= 6; beats++) {
    beat()
    await until(() => pings === beats)
    // The server has read the pong once it answers what was sent after it.
    living.ws.ping()
    await once(living.ws, 'pong')
    if (beats === 3) await until(() => closed)
    else t.equal(closed, beats > 3)
  }
  const [ready, ...frames] = silent.rest
  t.equal(ready!.opcode, OPCODE.text)
  t.strictSame(
    frames.map(({ opcode }) => opcode),
    [OPCODE.ping, OPCODE.ping],
    'silent for two pings',
  )
  t.equal(living.ws.readyState, living.ws.OPEN)
})

t.test('any sign of life counts', async (t) => {
  const { app, port } = await build(t, { heartbeat })
  const accepted = once(app.server, 'connection')
  const raw = await openRawSocket(t, port, '/ws')
  const [server] = await accepted
  const write = async (bytes: Buffer) => {
    const before = server.bytesRead
    raw.socket.write(bytes)
    await until(() => server.bytesRead === before + bytes.length)
  }
  await raw.next()
  for (let i = 0; i < 5; i++) {
    beat()
    t.equal((await raw.next()).opcode, OPCODE.ping)
    await write(maskedFrame(OPCODE.pong).subarray(0, 1))
    beat()
    t.equal((await raw.next()).opcode, OPCODE.ping)
    // The rest of that frame is the next sign.
    await write(maskedFrame(OPCODE.pong).subarray(1))
  }
  t.notOk(raw.socket.destroyed)
})

t.test('a socket that is not read for now is not called silent', async (t) => {
  let permit = (_: boolean) => {}
  let asked = 0
  const { app, url } = await build(
    t,
    {
      heartbeat,
      authorize: (_request, { action }) => {
        if (action === 'subscribe') return true
        asked++
        return new Promise((resolve) => {
          permit = resolve
        })
      },
    },
    { before },
  )
  const client = await openSocket(t, `${url}/ws`)
  const [server] = app.websocketServer.clients
  for (let i = 0; i < 70; i++) client.send({ type: 'publish', data: i })
  await until(() => server!.isPaused)
  for (let i = 0; i < 10; i++) beat()
  t.equal(client.ws.readyState, client.ws.OPEN)
  t.equal(server!.readyState, server!.OPEN)
  while (asked < 70) {
    const before = asked
    permit(true)
    await until(() => asked > before)
  }
  permit(true)
  await until(() => app.tidings.bus.log.head === 70)
})

t.test('a full socket gets no ping, and is not called silent', async (t) => {
  const { app, port } = await build(t, { heartbeat }, { before })
  const accepted = once(app.server, 'connection')
  const raw = await openRawSocket(t, port, '/ws')
  raw.socket.pause()
  const [server] = await accepted
  const { log } = app.tidings.bus
  let count = 0
  while (log.groups.watching > 0) {
    await app.tidings.publish('default', 'x'.repeat(60_000))
    count++
    await new Promise(setImmediate)
  }
  const waiting = waitingBytes(server)
  t.ok(waiting > 0)
  for (let i = 0; i < 10; i++) beat()
  t.equal(waitingBytes(server), waiting)
  raw.socket.resume()
  for (let i = 1; i <= count; ) {
    const { opcode, payload } = await raw.next()
    if (opcode !== OPCODE.text) t.equal(opcode, OPCODE.text)
    const { cursor, type } = JSON.parse(payload.toString())
    if (type === 'ready') continue
    if (cursor !== log.cursor(i)) t.equal(cursor, log.cursor(i))
    i++
  }
  t.notOk(raw.socket.destroyed)
})
