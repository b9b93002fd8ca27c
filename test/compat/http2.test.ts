import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { Agent, fetch } from 'undici'
import tidings, { type TidingsOptions } from '../../index.ts'
import { type Frame, live, SocketClient } from '../helper.ts'
import { certificate } from '../tls.ts'

const OPTIONS: TidingsOptions = { publish: true, echo: true, stats: true }

async function open(t: Test, app: unknown, options: TidingsOptions = OPTIONS) {
  const typed = app as FastifyInstance
  const sessions: ClientHttp2Session[] = []
  t.teardown(async () => {
    for (const session of sessions) session.destroy()
    await typed.close()
  })
  await typed.register(tidings, options)
  const url = await typed.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(url, { rejectUnauthorized: false })
  session.on('error', () => {})
  sessions.push(session)
  return { app: typed, url, session }
}

interface Answer {
  stream: ClientHttp2Stream
  headers: IncomingHttpHeaders & { ':status'?: number }
}

/** A request, up to the head of its answer. */
function start(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: string,
): Promise<Answer> {
  const stream = session.request({ ':path': path, ...headers }, { endStream: false })
  stream.setEncoding('utf8')
  stream.end(body)
  return new Promise((resolve, reject) => {
    stream.on('response', (headers) => resolve({ stream, headers }))
    stream.on('error', reject)
  })
}

/** A request and its whole answer. */
async function ask(...args: Parameters<typeof start>) {
  const { stream, headers } = await start(...args)
  let text = ''
  for await (const part of stream) text += part
  return { status: headers[':status'], headers, text, json: (): Frame => JSON.parse(text) }
}

/** What a stream gives, up to a mark. */
async function until(stream: ClientHttp2Stream, mark: string): Promise<string> {
  let text = ''
  while (!text.includes(mark)) {
    const part: string | null = stream.read()
    if (part === null) await new Promise((resolve) => stream.once('readable', resolve))
    else text += part
  }
  return text
}

/** Everything that works over HTTP/2. */
async function works(t: Test, app: FastifyInstance, session: ClientHttp2Session): Promise<void> {
  const place = await ask(session, '/poll')
  t.equal(place.status, 200)
  const { cursor } = place.json()
  const quiet = await ask(session, `/poll?cursor=${cursor}`, { 'if-none-match': `"${cursor}"` })
  t.strictSame([quiet.status, quiet.text, quiet.headers['tidings-cursor']], [304, '', cursor])
  const gone = await ask(session, '/poll?cursor=abcd.1')
  t.strictSame([gone.status, gone.headers['tidings-gap']], [410, 'epoch'])

  const held = ask(session, `/longpoll?cursor=${cursor}`)
  const { stream, headers } = await start(session, '/sse?format=raw')
  t.equal(headers['content-type'], 'text/event-stream')
  t.notOk(headers.connection)
  t.notOk(headers['transfer-encoding'])
  t.match(await until(stream, '"}\n\n'), /^event: ready\nretry: /)
  await live(app, 2)

  const post = { ':method': 'POST' }
  const first = await ask(session, '/publish', post, 'neither type nor length')
  t.equal(first.status, 201)
  t.strictSame((await held).json().messages[0].data, 'neither type nor length')
  t.match(await until(stream, '\n\n'), `data: neither type nor length\nid: ${first.json().cursor}\n\n`)

  const rows: [OutgoingHttpHeaders, string | undefined, unknown][] = [
    [{}, undefined, ''],
    [{ 'content-length': 4 }, 'text', 'text'],
    [{ 'content-type': 'application/json' }, '{"a":1}', { a: 1 }],
    [{ 'content-type': 'application/octet-stream' }, 'a', 'YQ=='],
  ]
  for (const [headers, body, data] of rows) {
    const { status, json } = await ask(session, '/publish', { ...post, ...headers }, body)
    t.equal(status, 201, `${JSON.stringify(headers)}: ${body}`)
    const { messages } = (await ask(session, '/poll?cursor=earliest')).json()
    t.strictSame(messages.at(-1).data, data)
    t.equal(messages.at(-1).cursor, json().cursor)
  }
  t.equal((await ask(session, '/publish', { ...post }, 'x'.repeat(70_000))).status, 413)
  const origin = { ...post, origin: 'https://evil.example' }
  t.equal((await ask(session, '/publish', origin, 'x')).status, 403)

  stream.close()
  await live(app, 0)
  t.equal((await ask(session, '/longpoll?cursor=now&wait=0')).status, 204)
  for (const path of ['/ws', '/echo', '/ws?cursor=bad']) {
    t.equal((await ask(session, path)).status, 404, path)
  }
}

t.test('h2c', async (t) => {
  const { app, session } = await open(t, Fastify({ http2: true }))
  await works(t, app, session)
})

t.test('TLS with allowHTTP1: the sockets work over HTTP/1.1', async (t) => {
  const https = { allowHTTP1: true, ...certificate(t) }
  const { app, url, session } = await open(t, Fastify({ http2: true, https }))
  await works(t, app, session)

  const dispatcher = new Agent({ allowH2: false, connect: { rejectUnauthorized: false } })
  t.teardown(() => dispatcher.destroy())
  const http1 = (path: string) => fetch(url + path, { dispatcher })
  const place = (await (await http1('/poll')).json()) as Frame
  t.equal((await http1(`/longpoll?cursor=${place.cursor}&wait=0`)).status, 204)
  const stream = await http1('/sse?format=raw')
  const reader = stream.body!.getReader()
  const read = async () => Buffer.from((await reader.read()).value!).toString()
  t.match(await read(), /^event: ready/)

  const sockets = ['/ws', '/echo'].map((path) => {
    const client = new SocketClient(url.replace('https', 'wss') + path, [], { rejectUnauthorized: false })
    t.teardown(() => client.ws.terminate())
    return client
  })
  const [ws, echo] = sockets as [SocketClient, SocketClient]
  t.match(await ws.json(), { type: 'ready', cursor: place.cursor })
  ws.send({ type: 'publish', channel: 'default', data: 1 })
  const frames: Frame[] = [await ws.json(), await ws.json()]
  t.ok(frames.some((frame) => frame.type === 'published'))
  t.ok(frames.some((frame) => frame.data === 1))
  let events = ''
  while (!events.includes('data: 1\nid: ')) events += await read()
  await reader.cancel()
  await echo.opened
  echo.send('back')
  t.equal(await echo.frame(), 'back')
  const { transports } = (await (await http1('/stats')).json()) as Frame
  t.match(transports.ws, { open: 1, requests: 1, messages: 1 })
})

t.test('over the limit', async (t) => {
  const { app, session } = await open(t, Fastify({ http2: true }), { maxReaders: 1 })
  const { stream } = await start(session, '/sse')
  await live(app, 1)
  const poll = await ask(session, '/longpoll?cursor=now')
  t.equal(poll.status, 503)
  t.ok(poll.headers['retry-after'])
  const sse = await ask(session, '/sse')
  t.strictSame([sse.status, sse.headers['tidings-refused']], [200, 'limit'])
  stream.close()
})

t.test("the session's timeout cuts neither a held poll nor a stream", async (t) => {
  const { app, url, session } = await open(t, Fastify({ http2: true, http2SessionTimeout: 100 }))
  const other = connect(url)
  t.teardown(() => other.destroy())
  const { stream } = await start(other, '/sse?format=raw')
  // Ten times the timeout.
  t.equal((await ask(session, '/longpoll?channel=none&cursor=now&wait=1')).status, 204)
  await app.tidings.publish('default', 'after')
  t.match(await until(stream, 'data: after\nid: '), 'ready')
})

t.test('on shutdown held polls are answered and streams end', async (t) => {
  const { app, session } = await open(t, Fastify({ http2: true }))
  const held = ask(session, '/longpoll?cursor=now')
  const { stream } = await start(session, '/sse')
  await until(stream, '"}\n\n')
  await live(app, 2)
  const closed = app.close()
  const { status, headers } = await held
  t.equal(status, 204)
  t.notOk(headers.connection)
  t.match(await until(stream, 'retry: '), /^retry: [0-9]+\n$/)
  session.close()
  await closed
})

t.test('a stream that does not take its end is cut', async (t) => {
  const server = Fastify({ http2: true })
  const closed: Promise<unknown>[] = []
  server.addHook('onRequest', async (_request, { raw }) => {
    closed.push(new Promise((resolve) => raw.stream.once('close', resolve)))
  })
  const { app, session } = await open(t, server)
  const { stream } = await start(session, '/sse?format=raw')
  stream.pause()
  stream.on('error', () => {})
  await live(app, 1)
  // More than the stream's window: its end waits behind it.
  for (let i = 0; i < 10; i++) await app.tidings.publish('default', 'x'.repeat(100_000))
  app.close()
  await Promise.all(closed)
  t.equal(closed.length, 1)
  t.equal(app.tidings.bus.log.groups.watching, 0)
})
