import { createHash } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { CASE_NAMES, handshake } from '../../demo/handshake.ts'
import { type ServerOptions, serve, urlOf } from '../../demo/server.ts'
import { listen, until } from '../helper.ts'

interface Said {
  text: string
  base64: string
}

async function start(t: Test, options: ServerOptions = {}) {
  const app = await serve({ port: 0, logLevel: 'silent', ...options })
  t.teardown(() => app.close())
  return { app, url: `${urlOf(app)}demo/handshake` }
}

const ask = async (url: string, name: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`${url}/${name}`, { method: 'POST', headers })
  const body = (await response.json()) as { case: string; request: Said; response: Said; message: string }
  return { status: response.status, headers: response.headers, body }
}

/** Of a head's text. */
const header = (text: string, name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(text)?.[1]

const accept = (key: string) =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

/** What each case is answered with, and what its request has. */
const EXPECTED: Record<string, [status: number, request: RegExp, response: RegExp]> = {
  'version-13': [101, /Sec-WebSocket-Version: 13\r\n/, /^Upgrade: websocket\r$/im],
  'version-17': [426, /Sec-WebSocket-Version: 17\r\n/, /^sec-websocket-version: 13\r$/im],
  'version-8': [426, /Sec-WebSocket-Version: 8\r\n/, /^sec-websocket-version: 13\r$/im],
  'no-key': [400, /^(?!.*Sec-WebSocket-Key)/s, /TIDINGS_ERR_WS_KEY.*\}$/s],
  'malformed-key': [400, /Sec-WebSocket-Key: not-sixteen-bytes\r\n/, /TIDINGS_ERR_WS_KEY.*\}$/s],
  'foreign-origin': [403, /Origin: https:\/\/elsewhere\.example\r\n/, /TIDINGS_ERR_ORIGIN.*\}$/s],
  'protocol-chat': [101, /Sec-WebSocket-Protocol: chat\r\n/, /^(?!.*Sec-WebSocket-Protocol)/is],
  'protocol-tidings': [101, /-Protocol: tidings\r\n/, /^Sec-WebSocket-Protocol: tidings\r$/im],
  'protocol-both': [101, /-Protocol: chat, tidings\r\n/, /^Sec-WebSocket-Protocol: tidings\r$/im],
  'plain-get': [426, /^(?!.*(?:Sec-WebSocket|Upgrade))/s, /^upgrade: websocket\r$/im],
}

t.test('each case is sent to the server itself, and told byte for byte', async (t) => {
  const { url } = await start(t)
  const listed = await fetch(url)
  t.same(await listed.json(), { cases: Object.keys(EXPECTED) })
  t.same(CASE_NAMES, Object.keys(EXPECTED))
  for (const [name, [status, request, response]] of Object.entries(EXPECTED)) {
    const { status: answered, headers, body } = await ask(url, name)
    t.equal(answered, 200, name)
    t.equal(headers.get('cache-control'), 'no-store')
    t.equal(body.case, name)
    t.match(body.request.text, /^GET \/echo HTTP\/1\.1\r\nHost: 127\.0\.0\.1:[0-9]+\r\n.*\r\n\r\n$/s)
    t.match(body.request.text, request)
    t.match(body.response.text, new RegExp(`^HTTP/1\\.1 ${status} `))
    t.match(body.response.text, response)
    for (const { text, base64 } of [body.request, body.response]) {
      t.equal(Buffer.from(base64, 'base64').toString('latin1'), text)
    }
    const key = header(body.request.text, 'Sec-WebSocket-Key')
    const proof = header(body.response.text, 'Sec-WebSocket-Accept')
    t.equal(proof, status === 101 ? accept(key!) : undefined, 'the proof')
  }
})

t.test('each success has a key of its own', async (t) => {
  const { url } = await start(t)
  const keys = await Promise.all(
    [1, 2, 3].map(async () => header((await ask(url, 'version-13')).body.request.text, 'Sec-WebSocket-Key')),
  )
  t.equal(new Set(keys).size, 3)
})

t.test('finds itself wherever it listens, and under a prefix', async (t) => {
  const at = async (options: ServerOptions) => {
    const { url } = await start(t, options)
    return (await ask(url, 'version-13')).body
  }
  for (const [host, own] of [
    ['::1', '[::1]'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '[::1]'],
  ] as const) {
    const { request, response } = await at({ host })
    t.ok(header(request.text, 'Host')!.startsWith(`${own}:`), host)
    t.match(response.text, /^HTTP\/1\.1 101 /)
  }
  const app = await serve({ port: 0, logLevel: 'silent', tidings: { prefix: '/live' } })
  t.teardown(() => app.close())
  const { body } = await ask(`${urlOf(app)}live/demo/handshake`, 'protocol-tidings')
  t.match(body.request.text, /^GET \/live\/echo /)
  t.match(body.response.text, /^HTTP\/1\.1 101 /)
})

t.test('takes nothing from the request, and none from a foreign page', async (t) => {
  const { url } = await start(t)
  const unknown = await ask(url, 'version-9')
  t.equal(unknown.status, 404)
  for (const name of CASE_NAMES) t.match(unknown.body.message, name)
  t.equal((await ask(url, 'toString')).status, 404)
  t.equal((await ask(url, 'version-13', { origin: 'https://elsewhere.example' })).status, 403)
  t.equal((await ask(url, 'version-13', { origin: new URL(url).origin })).status, 200)
  const { body } = await ask(`${url}`, 'version-13?host=elsewhere.example', { 'x-free': 'header' })
  t.notMatch(body.request.text, /elsewhere|free/)
})

/** A server in this app's place, which says that it listens there. */
async function elsewhere(t: Test, onSocket: (socket: Socket) => void) {
  const other: Server = createServer(onSocket)
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const app = Fastify() as FastifyInstance
  t.teardown(() => {
    // fetch keeps its connections.
    app.server.closeAllConnections()
    return app.close()
  })
  await app.register(handshake, { prefix: '/demo', socket: '/echo' })
  const { url } = await listen(app)
  const address = other.address()
  app.server.address = () => address
  return { app, other, url: `${url}/demo/handshake` }
}

t.test('is bounded: in bytes, in time and in number', async (t) => {
  await t.test('bytes', async (t) => {
    const endless = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n'.padEnd(100_000, 'x'))
    const { url } = await elsewhere(t, (socket) => {
      socket.on('error', () => {}).write(endless)
    })
    t.equal((await ask(url, 'version-13')).body.response.text, endless.toString('latin1', 0, 16_384))
  })

  await t.test('number and time', async (t) => {
    const sockets: Socket[] = []
    const { url } = await elsewhere(t, (socket) => {
      sockets.push(socket)
    })
    const silent = Array.from({ length: 4 }, () => ask(url, 'version-13'))
    await until(() => sockets.length === 4)
    const busy = await ask(url, 'version-13')
    t.equal(busy.status, 503)
    t.equal(busy.headers.get('retry-after'), '1')
    sockets[0]!.end('HTTP/1.1 101 Half')
    t.equal((await Promise.race(silent)).body.response.text, 'HTTP/1.1 101 Half', 'as much as came')
    for (const { status, body } of (await Promise.all(silent)).slice(1)) {
      t.same([status, body.response.text], [200, ''], 'nothing came within the time')
    }
  })

  await t.test('nobody is there', async (t) => {
    const { url, other } = await elsewhere(t, () => {})
    await new Promise((resolve) => other.close(resolve))
    const { status, body } = await ask(url, 'plain-get')
    t.same([status, body.response.text], [200, ''])
  })
})

t.test('a close while one runs leaves nothing behind', async (t) => {
  let held: Socket | undefined
  const { app, url } = await elsewhere(t, (socket) => {
    held = socket
  })
  const asked = ask(url, 'version-13')
  await until(() => held !== undefined)
  const gone = new Promise((resolve) => held!.once('close', resolve))
  held!.resume()
  const closed = app.close()
  await gone
  t.equal((await asked).body.response.text, '')
  app.server.closeAllConnections()
  await closed
})
