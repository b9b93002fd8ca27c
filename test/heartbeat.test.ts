import { once } from 'node:events'
import fastifyWebsocket from '@fastify/websocket'
import t from 'tap'
import { websocketOptions } from '../index.ts'
import { waitingBytes } from '../routes/http/node-internals.ts'
import { build, openSocket, until } from './helper.ts'
import { maskedFrame, OPCODE, openRawSocket } from './raw-socket.ts'

const heartbeat = { ws: 32 }

/** Registered by the test, so that it sees the server's side. */
const before = (app: Parameters<NonNullable<Parameters<typeof build>[2]>['before'] & object>[0]) =>
  app.register(fastifyWebsocket, websocketOptions())

t.test('a client that answers pings lives, one that is silent is ended', async (t) => {
  const { url, port } = await build(t, { heartbeat })
  const living = await openSocket(t, `${url}/ws`)
  let pings = 0
  living.ws.on('ping', () => pings++)
  const silent = await openRawSocket(t, port, '/ws')
  await silent.closed
  const [ready, ...frames] = silent.rest
  t.equal(ready!.opcode, OPCODE.text)
  t.strictSame(
    frames.map(({ opcode }) => opcode),
    [OPCODE.ping, OPCODE.ping],
    'silent for two pings',
  )
  await until(() => pings >= 6)
  t.equal(living.ws.readyState, living.ws.OPEN)
})

t.test('any sign of life counts', async (t) => {
  const { port } = await build(t, { heartbeat })
  const raw = await openRawSocket(t, port, '/ws')
  await raw.next()
  for (let i = 0; i < 5; i++) {
    const { opcode } = await raw.next()
    t.equal(opcode, OPCODE.ping)
    raw.socket.write(maskedFrame(OPCODE.pong).subarray(0, 1))
    await until(() => raw.socket.writableLength === 0)
    if (i === 4) break
    // The rest of that frame is the next sign.
    t.equal((await raw.next()).opcode, OPCODE.ping)
    raw.socket.write(maskedFrame(OPCODE.pong).subarray(1))
  }
  t.notOk(raw.socket.destroyed)
})

t.test('a socket that is not read for now is not called silent', async (t) => {
  let permit = (_: boolean) => {}
  let asked = 0
  const { app, url, port } = await build(
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
  // Their two pings and their end are as many turns of the wheel for the one that waits.
  for (let i = 0; i < 3; i++) await (await openRawSocket(t, port, '/ws')).closed
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
  for (let i = 0; i < 3; i++) await (await openRawSocket(t, port, '/ws?channel=other')).closed
  t.ok(waitingBytes(server) <= waiting)
  t.ok(waitingBytes(server) > 0, 'it was full all the time')
  raw.socket.resume()
  for (let i = 1; i <= count; ) {
    const { opcode, payload } = await raw.next()
    if (opcode === OPCODE.ping) raw.socket.write(maskedFrame(OPCODE.pong, payload))
    else {
      const { cursor, type } = JSON.parse(payload.toString())
      if (type === 'ready') continue
      if (cursor !== log.cursor(i)) t.equal(cursor, log.cursor(i))
      i++
    }
  }
  t.notOk(raw.socket.destroyed)
})
