import { randomBytes } from 'node:crypto'
import { get, type IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { Readable } from 'node:stream'
import { createGunzip, type Gunzip } from 'node:zlib'
import fastifyCors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import tidings from '../../index.ts'
import { build, listen, live, openRaw } from '../helper.ts'
import { ask } from '../request.ts'

/** A stream as it comes in, through a decoder that takes nothing but what is right: with its checksum and its length. */
class Reading {
  text = ''
  /** Resolves once the stream has come to its right end. */
  readonly ended: Promise<void>
  #look = () => {}

  constructor(body: Readable, gzip: boolean) {
    const source: Readable | Gunzip = gzip ? body.pipe(createGunzip()) : body
    source.setEncoding('utf8')
    source.on('data', (part: string) => {
      this.text += part
      this.#look()
    })
    this.ended = new Promise((resolve, reject) => {
      source.once('end', resolve)
      source.once('error', reject)
      body.once('error', reject)
    })
    this.ended.catch(() => {})
  }

  /** Resolves once that has come in. */
  until(mark: string): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => this.text.includes(mark) && resolve()
      this.#look()
    })
  }
}

function request(url: string, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => get(url, { headers, agent: false }, resolve).once('error', reject))
}

async function read(
  t: Test,
  url: string,
  encoding = 'gzip',
): Promise<Reading & { response: IncomingMessage }> {
  const response = await request(url, { 'accept-encoding': encoding })
  t.teardown(() => response.destroy())
  t.equal(response.headers['content-encoding'], encoding === 'gzip' ? 'gzip' : undefined)
  return Object.assign(new Reading(response, encoding === 'gzip'), { response })
}

t.test('gzip where the client takes it, and Vary on each answer', async (t) => {
  const { app, url } = await build(
    t,
    { compression: true, maxReaders: 1 },
    { before: (app) => app.register(fastifyCors, { origin: ['https://a.example', 'https://b.example'] }) },
  )
  const rows: [string | undefined, string | undefined][] = [
    [undefined, undefined],
    ['identity', undefined],
    ['br, gzip;q=0', undefined],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'gzip'],
    ['*', 'gzip'],
  ]
  for (const [accept, coding] of rows) {
    const response = await request(`${url}/sse`, {
      origin: 'https://a.example',
      ...(accept !== undefined && { 'accept-encoding': accept }),
    })
    t.equal(response.statusCode, 200)
    t.equal(response.headers['content-encoding'], coding, String(accept))
    t.equal(response.headers.vary, 'Origin, Accept-Encoding')
    t.equal(response.headers['cache-control'], 'no-store, no-transform')
    t.notOk(response.headers['content-length'])
    const refused = await ask(`${url}/sse`, { headers: { 'accept-encoding': 'gzip' } })
    t.match(refused.headers, { 'tidings-refused': 'limit', vary: 'Accept-Encoding' })
    t.match(refused.text, /^retry: \d+\n$/)
    response.destroy()
    await live(app, 0)
  }
})

t.test('without the option nobody gets it', async (t) => {
  const { url } = await build(t, { compression: false })
  const response = await request(`${url}/sse`, { 'accept-encoding': 'gzip' })
  t.notOk(response.headers['content-encoding'])
  t.notOk(response.headers.vary)
  response.destroy()
})

const TEXTS = [
  'short',
  '',
  'é'.repeat(300),
  'x'.repeat(1000),
  `lines\n${'and lines\r\n'.repeat(200)}`,
  // As long as it was, or longer: more than one block that is not compressed.
  randomBytes(50_000).toString('base64'),
  'y'.repeat(70_000),
  // Too long to be compressed.
  'z'.repeat(300_000),
]

/** Without what is given by chance, and without heartbeats. */
const bare = (text: string) => text.replace(/^retry: \d+\n/gm, '').replace(/^:\n/gm, '')

for (const fastPath of [true, false]) {
  for (const raw of ['', '&format=raw']) {
    t.test(
      `what comes out is the same stream, to its checksum${raw && ', raw'}${fastPath ? '' : ', without the fast path'}`,
      async (t) => {
        const { app, url } = await build(t, {
          compression: { threshold: 100 },
          fastPath,
          heartbeat: { sse: 16 },
        })
        const plain = await read(t, `${url}/sse?cursor=earliest${raw}`, 'identity')
        const early = await read(t, `${url}/sse?cursor=earliest${raw}`)
        for (const text of TEXTS) {
          const { cursor } = await app.tidings.publish('default', text)
          await early.until(`id: ${cursor}\n\n`)
        }
        await early.until('\n:\n')
        const late = await read(t, `${url}/sse?cursor=earliest${raw}`)
        const sent = await Promise.all(
          [...TEXTS, { n: TEXTS }, randomBytes(1000)].map((text) => app.tidings.publish('default', text)),
        )
        const last = `id: ${sent.at(-1)!.cursor}\n\n`
        for (const reading of [plain, early, late]) await reading.until(last)
        const closed = app.close()
        for (const reading of [early, late]) {
          await reading.ended
          t.match(reading.text, /\nretry: \d+\n$/)
        }
        await plain.ended
        t.equal(bare(early.text), bare(plain.text))
        t.equal(bare(late.text), bare(plain.text))
        await closed
      },
    )
  }
}

t.test('over HTTP/2, and to a client of HTTP/1.0', async (t) => {
  const app = Fastify({ http2: true }) as unknown as FastifyInstance
  await app.register(tidings, { compression: { threshold: 100 } })
  const { url } = await listen(app)
  const session = connectHttp2(url)
  t.teardown(async () => {
    session.destroy()
    await app.close()
  })
  const stream = session.request({ ':path': '/sse?cursor=earliest', 'accept-encoding': 'gzip' })
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve))
  t.match(headers, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
  const reading = new Reading(stream, true)
  for (const text of ['short', 'x'.repeat(1000)]) {
    const { cursor } = await app.tidings.publish('default', text)
    await reading.until(`id: ${cursor}\n\n`)
  }
  await app.tidings.end('default')
  await reading.ended
  t.match(reading.text, /event: end\n/)

  const one = await build(t, { compression: { threshold: 100 } })
  await one.app.tidings.publish('default', 'x'.repeat(1000))
  await one.app.tidings.end('default')
  const raw = await openRaw(t, one.port)
  raw.socket.write('GET /sse?cursor=earliest HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n')
  const text = await raw.until('never')
  t.notMatch(text, /transfer-encoding/i)
  const body = Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')
  const decoder = createGunzip()
  const old = new Reading(decoder, false)
  decoder.end(body)
  await old.ended
  t.match(old.text, /x{1000}[\s\S]*event: end/)
})

t.test('each end that the server makes ends the stream rightly', async (t) => {
  const ends = new AbortController()
  const { app, url } = await build(t, {
    compression: { threshold: 100 },
    authorize: ({ url }) => (url.includes('until') ? ends.signal : true),
  })
  const revoked = await read(t, `${url}/sse?channel=until`)
  await app.tidings.publish('until', 'x'.repeat(500))
  await revoked.until('xxx')
  ends.abort()
  await revoked.ended
  const over = await read(t, `${url}/sse?channel=a`)
  await app.tidings.end('a', 'y'.repeat(500))
  await over.ended
  t.match(over.text, /event: end\ndata: .*y{500}[\s\S]*\nretry: 86400000\n$/)
  // One that begins behind the end is told so in a text of its own.
  const behind = await read(t, `${url}/sse?channel=a&cursor=now`)
  await behind.ended
  t.match(behind.text, /event: end\ndata: .*y{500}/)
})

t.test('a hole is told in the same stream', async (t) => {
  const { app, url } = await build(t, { compression: { threshold: 0 }, retention: { messages: 1 } })
  const first = await app.tidings.publish('default', 'x'.repeat(500))
  for (let i = 0; i < 3; i++) await app.tidings.publish('default', 'y'.repeat(500))
  const reading = await read(t, `${url}/sse?cursor=${first.cursor}`)
  await reading.until('yyy')
  t.match(reading.text, /event: gap\ndata: {"reason":"trimmed"/)
  await app.tidings.end('default')
  await reading.ended
})

t.test('what counts is what goes over the wire', async (t) => {
  const { app, url, port } = await build(t, { compression: true, stats: true })
  const raw = await openRaw(t, port)
  raw.socket.write(
    'GET /sse?cursor=earliest HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
  )
  await live(app, 1)
  // Two hundred times 64 KiB are no more than its socket takes at once.
  for (let i = 0; i < 200; i++) await app.tidings.publish('default', `${i}`.repeat(30_000).slice(0, 65_000))
  t.equal(app.tidings.readers('default'), 1, 'nothing has waited')
  await app.tidings.end('default')
  await raw.until('never')
  const { sse } = (await ask(`${url}/stats`)).json.transports
  t.equal(sse.bytesOut, raw.socket.bytesRead)
  t.ok(sse.bytesOut < 200_000)
  t.equal(sse.messages, 200)

  // What does not become shorter waits as it did.
  const slow = await request(`${url}/sse?channel=slow`, { 'accept-encoding': 'gzip' })
  slow.pause()
  await live(app, 1)
  const long = randomBytes(48_000).toString('base64')
  while (app.tidings.readers('slow') === 1) await app.tidings.publish('slow', long)
  t.pass('its place is kept, and nothing else')
  slow.destroy()
})
