import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import tidings, { type TidingsOptions } from '../../../index.ts'
import { type Built, build, listen, live, openRaw, openSocket, post, until } from '../../helper.ts'
import { handshake } from '../../raw-socket.ts'
import { resetConnection } from '../../reset-connection.ts'
import { certificate } from '../../tls.ts'

const OPTIONS: TidingsOptions = { publish: true, stats: true, echo: true }
const PATHS = ['/longpoll?cursor=now', '/sse', '/ws'] as const

function get(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
}

interface Costs {
  [transport: string]: { open: number; requests: number; bytesIn: number }
}

/** By injection: a request over a wire would be counted, too. */
async function costs(app: FastifyInstance): Promise<Costs> {
  return (await app.inject('/stats')).json().transports
}

/** Nobody is left, by any count, and the next one is served. */
async function nobodyLeft(t: Test, { app, url }: Pick<Built, 'app' | 'url'>): Promise<void> {
  await live(app, 0)
  for (;;) {
    const all = Object.values(await costs(app))
    if (all.every(({ open }) => open === 0)) break
    await new Promise(setImmediate)
  }
  const client = await openSocket(t, `${url}/ws?channel=after`)
  await client.json()
  await post(`${url}/publish?channel=after`, 'x')
  t.match(await client.json(), { data: 'x' })
  client.ws.terminate()
  await live(app, 0)
}

async function gone(app: FastifyInstance): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = () =>
      app.server.getConnections((_error, count) => (count === 0 ? resolve() : setImmediate(look)))
    look()
  })
}

t.test('pipelined streams of clients that reset their connections', async (t) => {
  const built = await build(t, OPTIONS)
  const sockets = await Promise.all(Array.from({ length: 7 }, () => openRaw(t, built.port)))
  for (const { socket } of sockets) socket.write(get('/sse').repeat(1630))
  await live(built.app, 7 * 16)
  for (const { socket } of sockets) resetConnection(socket)
  await nobodyLeft(t, built)
})

t.test('one connection holds 16 readers, and the rest is told so', async (t) => {
  const { app, port, url } = await build(t, OPTIONS)
  const { socket, until } = await openRaw(t, port)
  socket.write(get('/longpoll?cursor=now&format=raw').repeat(16) + get('/longpoll?cursor=now') + get('/sse'))
  await live(app, 16)
  await post(`${url}/publish`, 'x')
  const text = await until('tidings-refused')
  t.equal(text.split('HTTP/1.1 200 ').length, 1 + 16 + 1)
  t.match(text, /HTTP\/1\.1 429 [\s\S]*retry-after: /)
})

t.test('pipelined polls of clients that reset their connections', async (t) => {
  const built = await build(t, OPTIONS)
  for (let i = 0; i < 20; i++) {
    const { socket } = await openRaw(t, built.port)
    socket.write(get('/poll').repeat(200), () => resetConnection(socket))
  }
  await gone(built.app)
  await nobodyLeft(t, built)
})

t.test('queued readers whose connection was given away for an upgrade behind them', async (t) => {
  for (const upgrade of [handshake('/ws'), get('/poll', 'Connection: Upgrade\r\nUpgrade: h2c\r\n')]) {
    for (const last of ['resetAndDestroy', 'end'] as const) {
      const built = await build(t, OPTIONS)
      const { socket } = await openRaw(t, built.port)
      socket.write(get('/longpoll?cursor=now').repeat(3) + get('/sse').repeat(2) + upgrade)
      await live(built.app, 5)
      socket[last]()
      await nobodyLeft(t, built)
    }
  }
})

/** What the app waits with, until it is let go on. */
class Gate {
  readonly #waiting: (() => void)[] = []
  reached = 0

  readonly wait = (): Promise<void> => {
    this.reached++
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  open(): void {
    for (const go of this.#waiting.splice(0)) go()
  }
}

const WAITS = ['onRequest', 'preHandler', 'authorize'] as const
const SERVERS: Record<string, (t: Test) => FastifyServerOptions> = {
  'HTTP/1': () => ({}),
  TLS: (t) => ({ https: certificate(t) }) as FastifyServerOptions,
  'HTTP/2': () => ({ http2: true }) as unknown as FastifyServerOptions,
}

for (const [protocol, server] of Object.entries(SERVERS)) {
  for (const wait of WAITS) {
    t.test(`a client that leaves while ${wait} waits, over ${protocol}`, async (t) => {
      const gate = new Gate()
      const shut = { now: true }
      const app = Fastify(server(t)) as FastifyInstance
      t.teardown(() => app.close())
      const hook = async () => {
        if (shut.now) await gate.wait()
      }
      if (wait !== 'authorize') app.addHook(wait as 'onRequest', hook)
      const authorize = async () => {
        await hook()
        return true
      }
      await app.register(tidings, { ...OPTIONS, ...(wait === 'authorize' && { authorize }) })
      const { url, port } = await listen(app)
      let asked = 0
      const closed: Promise<unknown>[] = []
      for (const how of ['resetAndDestroy', 'end'] as const) {
        for (const path of PATHS) {
          for (let i = 0; i < 5; i++) {
            const socket = await leaveLater(protocol, port, path)
            if (socket === undefined) continue
            await until(() => gate.reached > asked)
            asked = gate.reached
            closed.push(once(socket, 'close'))
            if (how === 'resetAndDestroy' && protocol === 'HTTP/1') resetConnection(socket)
            else socket.destroy()
          }
        }
      }
      await Promise.all(closed)
      await gone(app)
      gate.open()
      shut.now = false
      // What goes on in hooks goes on in the turns after.
      for (let i = 0; i < 10; i++) await new Promise(setImmediate)
      t.equal(app.tidings.bus.log.groups.watching, 0)
      if (protocol === 'HTTP/1') await nobodyLeft(t, { app, url })
      else t.ok(Object.values(await costs(app)).every(({ open }) => open === 0))
    })
  }
}

/** Asks for something. @returns what leaves */
async function leaveLater(protocol: string, port: number, path: string): Promise<Socket | undefined> {
  if (protocol === 'HTTP/2') {
    if (path === '/ws') return undefined
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    session.on('error', () => {})
    const stream = session.request({ ':path': path })
    stream.on('error', () => {})
    return session as unknown as Socket
  }
  const socket =
    protocol === 'TLS'
      ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      : connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, protocol === 'TLS' ? 'secureConnect' : 'connect')
  socket.write(path === '/ws' ? handshake(path) : get(path))
  return socket
}

t.test('the app ends an answer that is held', async (t) => {
  const answers: { end(): void }[] = []
  const built = await build(t, OPTIONS, {
    before: (app) =>
      app.addHook('onRequest', async (_request, reply) => {
        answers.push(reply.raw)
      }),
  })
  const { socket } = await openRaw(t, built.port)
  for (const path of ['/longpoll?cursor=now', '/sse']) {
    socket.write(get(path))
    await live(built.app, 1)
    answers.at(-1)!.end()
    await live(built.app, 0)
  }
  socket.destroy()
  await nobodyLeft(t, built)
})

t.test('a connection that lives long gathers no listeners', async (t) => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const { app, port } = await build(t, OPTIONS)
  const connected = once(app.server, 'connection')
  const { socket, until } = await openRaw(t, port)
  const [server] = (await connected) as [Socket]
  const listeners = () => server.eventNames().reduce((sum, name) => sum + server.listenerCount(name), 0)
  const round = async (i: number) => {
    const h2c = 'Connection: Upgrade\r\nUpgrade: h2c\r\n'
    socket.write(
      get('/poll') +
        get('/longpoll?cursor=now&wait=0') +
        get('/longpoll?cursor=earliest&wait=0', h2c) +
        get(`/nowhere${i}`, h2c),
    )
    await until(`GET:/nowhere${i} not found`)
  }
  for (let i = 0; i < 3; i++) await round(i)
  const before = listeners()
  for (let i = 3; i < 500; i++) await round(i)
  t.equal(listeners(), before)
  t.strictSame(warnings, [])
})

t.test("a reader that is held suspends its connection's timeout, and the last one restores it", async (t) => {
  const { app, port } = await build(t, OPTIONS, { server: { connectionTimeout: 60_000 } })
  const connected = once(app.server, 'connection')
  const { socket, until: read } = await openRaw(t, port)
  const [server] = (await connected) as [Socket]
  t.equal(server.timeout, 60_000)
  socket.write(
    get('/longpoll?cursor=now&channel=a&format=raw') + get('/longpoll?cursor=now&channel=b&format=raw'),
  )
  await live(app, 2)
  t.equal(server.timeout, 0)
  await app.tidings.publish('b', 'second')
  await live(app, 1)
  t.equal(server.timeout, 0, 'one is held yet')
  await app.tidings.publish('a', 'first')
  await read('second')
  await until(() => (server.timeout ?? 0) > 0)
})

t.test('bytes are split at the end of each response', async (t) => {
  const { app, port } = await build(t, { ...OPTIONS, transports: ['poll', 'longpoll', 'sse'] })
  const { socket, until: read } = await openRaw(t, port)
  const poll = get('/poll')
  const foreign = get('/nowhere')
  const longpoll = get('/longpoll')
  socket.write(poll)
  await read('"more":false}')
  socket.write(foreign)
  await read('not found')
  socket.write(longpoll)
  socket.write(get('/nowhere/2', 'Connection: close\r\n'))
  await read('never')
  const { poll: one, longpoll: other } = await costs(app)
  t.equal(one!.bytesIn, poll.length)
  t.equal(other!.bytesIn, longpoll.length)
})
