import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import tidings, { type TidingsOptions, websocketOptions } from '../../index.ts'
import { listen, openRaw, openSocket, post } from '../helper.ts'
import { maskedFrame, OPCODE, openRawSocket } from '../raw-socket.ts'
import { ask } from '../request.ts'

/** An app that says what it has warned of. */
function build(t: Test): { app: FastifyInstance; warnings: string[] } {
  const warnings: string[] = []
  const write = (line: string) => {
    const { level, msg } = JSON.parse(line)
    if (level >= 40) warnings.push(msg)
  }
  const app = Fastify({ logger: { stream: { write } } }) as FastifyInstance
  t.teardown(() => app.close())
  return { app, warnings }
}

const OPTIONS: TidingsOptions = { prefix: '/live', publish: true, stats: true, echo: true }

/** The user's own socket. */
async function mine(app: FastifyInstance): Promise<void> {
  app.get('/mine', { websocket: true }, (socket) => {
    socket.on('message', (data: Buffer) => socket.send(`mine ${data}`))
  })
}

/** Our sockets and the user's work, and nothing of ours but the sockets is upgraded. */
async function check(t: Test, app: FastifyInstance): Promise<void> {
  const { url, port } = await listen(app)
  const client = await openSocket(t, `${url}/live/ws`, ['tidings'])
  t.equal(client.ws.protocol, 'tidings')
  t.match(await client.json(), { type: 'ready' })
  t.equal((await post(`${url}/live/publish`, 'x')).status, 201)
  t.match(await client.json(), { data: 'x' })
  const echo = await openSocket(t, `${url}/live/echo`)
  echo.send('hi')
  t.equal(await echo.frame(), 'hi')
  const own = await openSocket(t, `${url}/mine`)
  own.send('hi')
  t.equal(await own.frame(), 'mine hi')

  t.equal((await ask(`${url}/live/ws`)).status, 426)
  const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'x' }
  t.equal((await ask(`${url}/live/ws`, { headers })).status, 426)
  const raw = await openRaw(t, port)
  const upgrade = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c'
  raw.socket.write(`GET /live/poll?cursor=earliest HTTP/1.1\r\n${upgrade}\r\n\r\n`)
  t.match(await raw.until('"more"'), /^HTTP\/1\.1 200 [\s\S]*"data":"x"/)
  raw.socket.write(`POST /live/publish HTTP/1.1\r\n${upgrade}\r\nContent-Length: 3\r\n\r\nabc`)
  t.match(await raw.until('HTTP/1.1 201'), /\r\nHTTP\/1\.1 201|}HTTP\/1\.1 201/)
  t.match(await client.json(), { data: 'abc' })

  const closing = app.close()
  t.equal((await client.closed).code, 1001)
  t.equal((await echo.closed).code, 1001)
  own.ws.terminate()
  await closing
}

t.test('without one of the user, ours is in its own scope', async (t) => {
  const { app, warnings } = build(t)
  await app.register(tidings, OPTIONS)
  t.notOk(app.hasDecorator('websocketServer'))
  t.strictSame(warnings, [])
})

t.test("a client's bad frame gets its close code, whose @fastify/websocket it ever is", async (t) => {
  for (const own of [true, false]) {
    const { app } = build(t)
    if (!own) await app.register(fastifyWebsocket, websocketOptions())
    await app.register(tidings, OPTIONS)
    const { port } = await listen(app)
    const raw = await openRawSocket(t, port, '/live/ws?format=raw')
    raw.socket.write(maskedFrame(0x40 | OPCODE.text, 'x'))
    const close = await raw.next()
    t.equal(close.opcode, OPCODE.close)
    t.equal(close.payload.readUInt16BE(), 1002)
    raw.socket.end()
    await raw.closed
  }
})

t.test('registered before ours, with our options', async (t) => {
  const { app, warnings } = build(t)
  await app.register(fastifyWebsocket, websocketOptions())
  await app.register(mine)
  await app.register(tidings, OPTIONS)
  await check(t, app)
  t.strictSame(warnings, [])
})

t.test('registered before ours, with options of its own, warns once', async (t) => {
  const { app, warnings } = build(t)
  await app.register(fastifyWebsocket, {
    options: { handleProtocols: (offered: Set<string>) => [...offered][0]! },
    preClose: (done) => done(),
  })
  await app.register(mine)
  await app.register(tidings, OPTIONS)
  await check(t, app)
  t.strictSame(warnings, [
    '@fastify/websocket is registered without the websocketOptions of fastify-tidings: see docs/fastify.md of the package',
  ])
})

t.test('registered after ours', async (t) => {
  const { app, warnings } = build(t)
  await app.register(tidings, OPTIONS)
  await app.register(fastifyWebsocket, websocketOptions())
  await app.register(mine)
  await check(t, app)
  t.strictSame(warnings, [])
})

t.test('registered in a sibling scope, before and after ours', async (t) => {
  for (const before of [true, false]) {
    const { app, warnings } = build(t)
    const sibling = async (scope: FastifyInstance) => {
      await scope.register(fastifyWebsocket, websocketOptions())
      await scope.register(mine)
    }
    if (before) await app.register(sibling)
    await app.register(tidings, OPTIONS)
    if (!before) await app.register(sibling)
    await check(t, app)
    t.strictSame(warnings, [])
  }
})

t.test('two registrations of ours share the server', async (t) => {
  const { app, warnings } = build(t)
  await app.register(tidings, OPTIONS)
  await app.register(tidings, { prefix: '/other', decorator: 'other', transports: ['ws'] })
  const { url } = await listen(app)
  const one = await openSocket(t, `${url}/live/ws`)
  const other = await openSocket(t, `${url}/other/ws`)
  t.not((await one.json()).cursor, (await other.json()).cursor)
  t.strictSame(warnings, [])
})

t.test('a pipelined socket waits its turn beside a listener of the user', async (t) => {
  const { app } = build(t)
  await app.register(tidings, OPTIONS)
  app.server.on('upgrade', () => {})
  const { port } = await listen(app)
  const raw = await openRaw(t, port)
  const request = 'HTTP/1.1\r\nHost: x\r\n'
  raw.socket.write(
    `GET /live/longpoll?cursor=now&format=raw ${request}\r\nGET /live/ws ${request}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  )
  while (app.tidings.bus.log.groups.watching === 0) await new Promise(setImmediate)
  await app.tidings.publish('default', 'first')
  t.match(await raw.until('"ready"'), /^HTTP\/1\.1 200 [\s\S]*firstHTTP\/1\.1 101 /)
})

t.test('by injection', async (t) => {
  const { app } = build(t)
  await app.register(fastifyWebsocket, websocketOptions())
  await app.register(tidings, { ...OPTIONS, heartbeat: { ws: 16 } })
  // Listening keeps the process alive: the heartbeat's timer does not.
  await listen(app)
  const frames: string[] = []
  let come = () => {}
  let beats = 0
  const socket = await app.injectWS(
    '/live/ws',
    {},
    {
      onInit(ws) {
        ws.on('message', (data: Buffer) => {
          frames.push(data.toString())
          come()
        })
        ws.on('ping', () => {
          beats++
          come()
        })
      },
    },
  )
  const until = (so: () => boolean) =>
    new Promise<void>((resolve) => {
      come = () => so() && resolve()
      come()
    })
  await until(() => frames.length === 1)
  t.match(JSON.parse(frames[0]!), { type: 'ready' })
  socket.send('{"type":"publish","data":1}')
  await until(() => frames.length === 3)
  await until(() => beats === 4)
  t.equal(socket.readyState, socket.OPEN)
  const answer = await app.inject('/live/stats')
  t.match(answer.json(), { transports: { ws: { open: 1, messages: 1 } } })
  socket.terminate()

  await t.rejects(app.injectWS('/live/ws?format=wrong'), /400/)
})
