import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t from 'tap'
import tidings from '../../index.ts'
import { build, listen, openRaw, openSocket, post, until } from '../helper.ts'
import { handshake, maskedFrame, OPCODE, RawSocket } from '../raw-socket.ts'
import { ask } from '../request.ts'
import { certificate } from '../tls.ts'

const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
const WEBSOCKET =
  'Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

/** The statuses of what has come in. */
function statuses(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status!)
}

t.test('an upgrade on any other route is answered as if it were not there', async (t) => {
  const { app, port } = await build(t, { publish: true, stats: true })
  const { cursor } = await app.tidings.publish('default', 'x')
  const from = `${app.tidings.bus.log.epoch}.0`
  for (const upgrade of [H2C, WEBSOCKET, 'Upgrade: whatever\r\nConnection: upgrade\r\n']) {
    for (const [path, status, body] of [
      ['/poll', '200', `{"cursor":"${cursor}","messages":[],"more":false}`],
      [`/poll?cursor=${cursor}`, '204', 'HTTP/1.1 204'],
      [`/longpoll?cursor=${from}&format=raw`, '200', '\r\n\r\nx'],
      ['/stats', '200', '"epoch"'],
      ['/sse', '200', 'event: ready'],
      ['/nowhere', '404', 'Not Found'],
      ['/publish', '404', 'Not Found'],
    ] as const) {
      const raw = await openRaw(t, port)
      raw.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`)
      const text = await raw.until(body)
      t.strictSame(statuses(text), [status], path)
      t.notMatch(text, /^upgrade:/im)
      raw.socket.destroy()
    }
  }
})

t.test('what asked for the upgrade is gone from the request', async (t) => {
  let seen: unknown
  const { port } = await build(
    t,
    {},
    {
      before: (app) => {
        app.get('/user', (request) => {
          seen = request.headers
          return 'ok'
        })
      },
    },
  )
  const raw = await openRaw(t, port)
  raw.socket.write(`GET /user HTTP/1.1\r\nHost: x\r\nX-A: é\r\nx-a: b\r\n${WEBSOCKET}\r\n`)
  await raw.until('ok')
  t.match(seen, { host: 'x', 'x-a': 'Ã©, b', connection: 'keep-alive', upgrade: undefined })
  raw.socket.write(`GET /user HTTP/1.1\r\nHost: x\r\n${H2C}\r\n`)
  await raw.until('ok')
  t.match(seen, { host: 'x', 'x-a': 'Ã©, b' })
})

t.test('the connection lives on behind it', async (t) => {
  const { port } = await build(t)
  const raw = await openRaw(t, port)
  for (let i = 1; i <= 5; i++) {
    raw.socket.write(`GET /nowhere${i} HTTP/1.1\r\nHost: x\r\n${H2C}\r\n`)
    await raw.until(`GET:/nowhere${i} not found`)
  }
  raw.socket.write('GET /poll HTTP/1.1\r\nHost: x\r\n\r\n')
  const text = await raw.until('"messages":[]')
  t.strictSame(statuses(text), ['404', '404', '404', '404', '404', '200'])
})

t.test('a publish keeps its body, in one piece, in several, and in chunks', async (t) => {
  const { app, port } = await build(t, { publish: true })
  const raw = await openRaw(t, port)
  const head = `POST /publish HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n${H2C}`
  raw.socket.write(`${head}Content-Length: 5\r\n\r\none 1`)
  await raw.until('"cursor"')
  raw.socket.write(`${head}Content-Length: 5\r\n`)
  // The server gives the connection to itself once more.
  const again = once(app.server, 'connection')
  raw.socket.write('\r\ntw')
  await again
  raw.socket.write('o 2')
  raw.socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n2\r\n 3\r\n0\r\n\r\n`)
  const text = await raw.until('.3"')
  t.strictSame(statuses(text), ['201', '201', '201'])
  t.strictSame(
    app.tidings.bus.log.read(['default'], 0, { limit: 9, bytes: 9999 }).entries.map(({ payload }) => payload),
    ['one 1', 'two 2', 'three 3'],
  )
})

t.test('in a pipeline each answer comes in its turn', async (t) => {
  const { app, port } = await build(t, { publish: true })
  const cursor = `${app.tidings.bus.log.epoch}.0`
  const held = `GET /longpoll?cursor=${cursor}&format=raw HTTP/1.1\r\nHost: x\r\n\r\n`

  const plain = await openRaw(t, port)
  plain.socket.write(
    `${held}${held}GET /poll?format=wrong HTTP/1.1\r\nHost: x\r\n${H2C}\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n`,
  )
  const socket = new RawSocket(port, '/nowhere')
  t.teardown(() => socket.socket.destroy())
  await socket.head
  const upgraded = await openRaw(t, port)
  upgraded.socket.write(held + handshake('/ws'))
  while (app.tidings.bus.log.groups.watching < 3) await new Promise(setImmediate)
  await app.tidings.publish('default', 'the message')

  const text = await plain.until('HTTP/1.1 404')
  t.strictSame(statuses(text), ['200', '200', '400', '404'])
  const frames = await upgraded.until('"ready"')
  t.match(frames, /^HTTP\/1\.1 200 [\s\S]*the messageHTTP\/1\.1 101 /)
  upgraded.socket.write(maskedFrame(OPCODE.text, '{"type":"ping"}'))
  await upgraded.until('"pong"')
})

t.test('a pipeline whose connection ends first is given up', async (t) => {
  const { app, port } = await build(t)
  const longpoll = 'GET /longpoll?cursor=now&format=raw HTTP/1.1\r\nHost: x\r\n'
  const h2c = `GET /poll HTTP/1.1\r\nHost: x\r\n${H2C}\r\n`
  const held = async (count: number) => {
    while (app.tidings.bus.log.groups.watching !== count) await new Promise(setImmediate)
  }

  const connection = once(app.server, 'connection')
  const reset = await openRaw(t, port)
  const [socket] = await connection
  reset.socket.write(`${longpoll}\r\n${h2c}`)
  await held(1)
  // What a broken connection does while nobody reads it.
  socket.emit('error', new Error('reset'))
  t.equal(await reset.until('never'), '')
  await held(0)

  const second = await openRaw(t, port)
  second.socket.write(`${longpoll}\r\n${h2c}`)
  await held(1)
  const closing = app.close()
  t.strictSame(statuses(await second.until('never')), ['204'])
  await closing
})

t.test('frames right behind the handshake are read', async (t) => {
  const { port } = await build(t)
  const raw = await openRaw(t, port)
  raw.socket.write(
    Buffer.concat([Buffer.from(handshake('/ws')), maskedFrame(OPCODE.text, '{"type":"ping","ref":1}')]),
  )
  t.match(await raw.until('"pong"'), /^HTTP\/1\.1 101 [\s\S]*"ready"[\s\S]*"pong","ref":1/)
})

t.test('curl asks for HTTP/2', async (t) => {
  const { app, url } = await build(t, { publish: true })
  const curl = async (...args: string[]) =>
    (
      await promisify(execFile)('curl', [
        '-sS',
        '--noproxy',
        '*',
        '--http2',
        '-w',
        ' %{http_code} %{http_version}',
        ...args,
      ])
    ).stdout
  t.match(await curl('-d', 'hello', `${url}/publish`), /^{"cursor":.* 201 1\.1$/)
  t.match(await curl(`${url}/poll?cursor=earliest`), /"data":"hello".* 200 1\.1$/)
  t.match(await curl(`${url}/longpoll?cursor=earliest&format=raw`), /^hello 200 1\.1$/)
  t.equal(app.tidings.bus.log.head, 1)
})

t.test('the server is found under every name that the router knows it by', async (t) => {
  const slashes = await build(
    t,
    { prefix: '/Live' },
    {
      server: {
        routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, caseSensitive: false },
      },
    },
  )
  for (const path of ['/Live/ws', '/live/WS/', '//live//ws?channel=a']) {
    const client = await openSocket(t, slashes.url + path)
    t.match(await client.json(), { type: 'ready' }, path)
  }
  const strict = await build(t, { prefix: '/Live' })
  for (const path of ['/live/ws', '/Live/ws/', '/Live']) {
    await t.rejects(openSocket(t, strict.url + path), /404/, path)
  }
})

t.test('another listener keeps its upgrades, and ours stay ours', async (t) => {
  const { app, url, port } = await build(t, { publish: true, echo: true })
  app.server.on('upgrade', (request, socket) => {
    if (request.url === '/theirs')
      socket.end('HTTP/1.1 101 Theirs\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhi')
  })
  const theirs = await openRaw(t, port)
  theirs.socket.write(`GET /theirs HTTP/1.1\r\nHost: x\r\n${H2C}\r\n`)
  t.match(await theirs.until('hi'), /101 Theirs/)

  const client = await openSocket(t, `${url}/ws`)
  t.match(await client.json(), { type: 'ready' })
  await post(`${url}/publish`, 'x')
  t.match(await client.json(), { data: 'x' })
  t.equal((await ask(`${url}/ws`)).status, 426)
})

t.test('under a prefix with a parameter', async (t) => {
  const { app, url } = await build(t, { prefix: '/t/:tenant', publish: true })
  const client = await openSocket(t, `${url}/t/acme/ws`)
  await client.json()
  await app.tidings.publish('default', 1)
  t.match(await client.json(), { data: 1 })
  await t.rejects(openSocket(t, `${url}/t/ws`), /404/)
})

t.test('over TLS, over HTTP/1.1 of an HTTP/2 server, too', async (t) => {
  const https = certificate(t)
  for (const server of [{ https }, { http2: true, https: { ...https, allowHTTP1: true } }]) {
    const app = Fastify(server as FastifyServerOptions) as FastifyInstance
    await app.register(tidings, { publish: true })
    const { port } = await listen(app)
    const socket = connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    })
    t.teardown(async () => {
      socket.destroy()
      await app.close()
    })
    let text = ''
    socket.setEncoding('latin1').on('data', (part) => {
      text += part
    })
    const type = 'Content-Type: text/plain\r\nContent-Length: 3\r\n'
    socket.write(`POST /publish HTTP/1.1\r\nHost: x\r\n${type}${H2C}\r\nabc`)
    await until(() => text.includes('"cursor"'))
    socket.write(`GET /poll?cursor=earliest HTTP/1.1\r\nHost: x\r\n${WEBSOCKET}\r\n`)
    await until(() => text.includes('"data":"abc"'))
    t.strictSame(statuses(text), ['201', '200'])
    t.equal(app.tidings.bus.log.head, 1)
    socket.write(handshake('/ws'))
    await until(() => text.includes('"ready"'))
    t.match(text, /HTTP\/1\.1 101 /)
  }
})

t.test('a static route of the app stands before ours with parameters', async (t) => {
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  const taken: string[] = []
  app.server.on('upgrade', (request: { url: string }, socket: { end(text: string): void }) => {
    if (request.url !== '/x/ws') return
    taken.push(request.url)
    socket.end('HTTP/1.1 101 Theirs\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  })
  app.get('/x/ws', async () => 'theirs')
  await app.register(tidings, { prefix: '/:tenant' })
  const { url, port } = await listen(app)
  const theirs = await openRaw(t, port)
  theirs.socket.write(handshake('/x/ws?a=b#c'.slice(0, 5)))
  t.match(await theirs.until('101'), /101 Theirs/)
  t.strictSame(taken, ['/x/ws'])
  const ours = await openSocket(t, `${url}/y/ws`)
  t.match(await ours.json(), { type: 'ready' })
  ours.ws.terminate()
})

t.test('every answer at our paths is not to be stored, whoever gives it', async (t) => {
  const { url, port } = await build(
    t,
    { prefix: '/feed' },
    {
      before: (app) => {
        app.post('/feed/poll', async (_request, reply) => reply.code(405).send({}))
        app.put('/feed/sse', async () => {
          throw new Error('theirs')
        })
        app.get('/other', async (_request, reply) => reply.code(404).send({}))
      },
    },
  )
  for (const [method, path, status] of [
    ['POST', '/feed/poll', 405],
    ['PUT', '/feed/sse', 500],
    ['DELETE', '/feed/poll', 404],
    ['HEAD', '/feed/longpoll', 404],
    ['GET', '/feed/ws', 426],
  ] as const) {
    const answer = await ask(url + path, { method })
    t.equal(answer.status, status, `${method} ${path}`)
    t.equal(answer.headers['cache-control'], 'no-store', `${method} ${path}`)
  }
  t.equal((await ask(`${url}/other`)).headers['cache-control'], undefined)
  t.equal((await ask(`${url}/nowhere`)).headers['cache-control'], undefined)
  for (const [path, expected] of [
    ['/feed/poll', true],
    ['/other', false],
  ] as const) {
    const raw = await openRaw(t, port)
    raw.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nConnection: close\r\n\r\n`)
    const text = await raw.until('never')
    t.match(text, /^HTTP\/1\.1 417 /)
    t.equal(/^cache-control: no-store/im.test(text), expected, path)
  }
})
