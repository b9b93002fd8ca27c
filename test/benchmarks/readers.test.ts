import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createServer, type Socket } from 'node:net'
import t from 'tap'
import { headersOf } from '../../benchmarks/profiles.ts'
import { pollReader } from '../../benchmarks/readers/poll.ts'
import { processReceived, type Reader, type ReaderContext } from '../../benchmarks/readers/reader.ts'
import { measureRoundTrips } from '../../benchmarks/readers/round-trips.ts'
import { sseReader } from '../../benchmarks/readers/sse.ts'
import { wsReader } from '../../benchmarks/readers/ws.ts'
import { connect } from '../../client/index.ts'
import { textFrame } from '../../routes/ws/encoder.ts'
import { Socket as WebSocket } from '../client/helper.ts'
import { build, until } from '../helper.ts'

type Make = (common: ReaderContext) => Reader

/** Runs a reader against a server that sends exactly this. @returns the outcome */
async function heard(make: Make, says: (socket: Socket, asked: string, common: ReaderContext) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (part) => says(socket, part.toString('latin1'), common))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const indexes: number[] = []
  let come = () => {}
  const all = new Promise<void>((resolve) => {
    come = resolve
  })
  let fault = (_text: string) => {}
  const broken = new Promise<string>((resolve) => {
    fault = resolve
  })
  const common: ReaderContext = {
    target: { host: '127.0.0.1', port, path: '' },
    profile: 'minimal',
    interval: 0.01,
    pause: true,
    wait: 25,
    tally: { requests: 0, empty: 0, connections: 0, deliveries: 0, envelopes: 0, up: 0, down: 0 },
    cycles: [],
    open: new Set(),
    fault,
    deliver: (_, index) => {
      indexes.push(index)
      if (index === 2) come()
    },
  }
  const reader = make(common)
  const said = await Promise.race([broken, all])
  reader.stop()
  await new Promise((resolve) => server.close(resolve))
  return { said, indexes, common }
}

const sse: Make = (common) => sseReader(common, 0, 'news')
const ws: Make = (common) => wsReader(common, 0, 'news')
const poll: Make = (common) => pollReader('poll', common, 0, 'news', 0)
const envelope = (index: number) => `{"cursor":"a.${index}","data":"${String(index).padStart(8, '0')}"}`

/** Sends a text in pieces, and waits until the reader has received each. */
async function pieces(socket: Socket, text: string, size: number, { open }: ReaderContext): Promise<void> {
  const [reader] = open
  for (let at = 0; at < text.length && !reader!.destroyed; at += size) {
    const piece = text.slice(at, at + size)
    socket.write(piece, 'latin1')
    await until(() => reader!.destroyed || reader!.bytesRead === at + piece.length)
    processReceived()
  }
}

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const EVENTS = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

t.test('events split at any byte', async (t) => {
  const events = [0, 1, 2].map((index) => chunk(`data: ${envelope(index)}\nid: a.${index}\n\n`))
  const text = `${EVENTS}${chunk('event: ready\nretry: 2000\nid: a.0\ndata: {}\n\n')}${chunk(':\n')}${events.join('')}`
  for (const size of [7, 100, text.length]) {
    const { said, indexes, common } = await heard(sse, (socket, _, common) =>
      pieces(socket, text, size, common),
    )
    t.equal(said, undefined)
    t.same(indexes, [0, 1, 2])
    t.equal(common.tally.envelopes, 3 * envelope(0).length)
    t.equal(common.tally.empty, 0)
  }
})

t.test('an invalid stream, and a stream with a gap', async (t) => {
  const whole = await heard(sse, (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
  t.match(whole.said, /\/sse returned HTTP\/1.1 200 OK, or is not chunked/)
  t.equal(whole.common.tally.empty, 1)
  const gap = await heard(sse, (socket) => socket.write(`${EVENTS}${chunk('event: gap\ndata: {}\n\n')}`))
  t.match(gap.said, /\/sse sent event: gap/)
  t.match((await heard(sse, (socket) => socket.destroy())).said, /server closed a connection|ECONNRESET/)
})

/** Returns the response to an upgrade. */
function upgraded(asked: string): string {
  const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(asked)![1]
  const accept: string = createHash('sha1')
    .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
}

t.test('a socket: messages, pings, and invalid frames', async (t) => {
  const answers = async (...frames: string[]) => {
    let heardBack = ''
    const result = await heard(ws, (socket, asked, common) => {
      if (!asked.startsWith('GET')) heardBack += asked
      else pieces(socket, upgraded(asked) + frames.join(''), 50, common)
    })
    return { ...result, heardBack }
  }
  const frame = (text: string) => textFrame(text).toString('latin1')
  const ready = frame('{"type":"ready","cursor":"a.0"}')
  const ping = '\x89\x02hi'
  const { said, indexes, heardBack } = await answers(
    ready,
    frame(envelope(0)),
    ping,
    frame(envelope(1)),
    frame(envelope(2)),
  )
  t.same([said, indexes], [undefined, [0, 1, 2]])
  t.equal(heardBack, '\x8a\x82\0\0\0\0hi', 'a pong')
  t.match((await answers(ready, frame('{"type":"error"}'))).said, /\/ws sent \{"type":"error"/)
  t.match((await answers(ready, '\x88\x02\x03\xe9')).said, /opcode 8/)
  const wrong = await heard(ws, (socket) => socket.write('HTTP/1.1 101 x\r\n\r\n'))
  t.match(wrong.said, /\/ws returned HTTP\/1.1 101 x/)
})

t.test('polls with a pause, several pages, and an error response', async (t) => {
  const answer = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const page = (messages: number[], more: boolean) =>
    answer(`{"cursor":"a.9","messages":[${messages.map(envelope)}],"more":${more}}`)
  const script = [page([], false), page([0, 1], true), page([2], false)]
  let asked = 0
  const { indexes, common } = await heard(poll, (socket) => socket.write(script[asked++] ?? ''))
  t.same(indexes, [0, 1, 2])
  t.equal(common.cycles.length, 0, 'further pages do not count as cycles')
  t.equal(common.tally.requests, 3)
  const empty = [...script.slice(0, 1), 'HTTP/1.1 204 x\r\ntidings-cursor: a.1\r\n\r\n', page([2], false)]
  asked = 0
  const paused = await heard(poll, (socket) => socket.write(empty[asked++] ?? ''))
  t.equal(paused.common.cycles.length, 1)
  t.equal(paused.common.tally.empty, 2)
  const refused = await heard(poll, (socket) =>
    socket.write('HTTP/1.1 503 x\r\ncontent-length: 4\r\n\r\nbusy'),
  )
  t.match(refused.said, /\/poll returned 503 busy/)
})

t.test('round trips: a frame, if the app has /echo, and a request', async (t) => {
  for (const echo of [true, false]) {
    const { port } = await build(t, { echo })
    const trips = await measureRoundTrips({ host: '127.0.0.1', port, path: '' })
    t.ok(trips.http > 0)
    t.equal(trips.echo !== undefined && trips.echo > 0, echo)
  }
})

t.test('readers send the requests of the client, with the headers of the profile', async (t) => {
  const asked: { url: string; names: string[] }[] = []
  const { app, url, port } = await build(t, { publish: true })
  app.server.prependListener('request', ({ url = '', rawHeaders }) => {
    asked.push({ url, names: rawHeaders.filter((_: string, i: number) => i % 2 === 0) })
  })
  // Upgrades to the plugin's paths do not reach the app's own listeners.
  const { server } = app as unknown as { server: { emit(event: string, ...args: unknown[]): boolean } }
  const emit = server.emit
  server.emit = (event, ...args) => {
    if (event === 'upgrade') {
      const { url = '', rawHeaders } = args[0] as IncomingMessage
      asked.push({ url, names: rawHeaders.filter((_, i) => i % 2 === 0) })
    }
    return emit.call(server, event, ...args)
  }
  class Source {
    readonly readyState = 0
    constructor(url: string) {
      fetch(url, { headers: { accept: 'text/event-stream' } }).then((response) => response.body?.cancel())
    }
    addEventListener() {}
    close() {}
  }
  /**
   * The query parameters in order, and the header names. The client also sends a nonce that prevents caches from
   * merging equal polls; the readers omit it.
   */
  const shape = ({ url, names }: (typeof asked)[0]) => ({
    query: [...new URL(url, 'http://a').searchParams.keys()].filter((name) => name !== '_'),
    headers: names.map((name) => name.toLowerCase()).sort(),
  })
  const shapeOf = async (kind: string, query: string) => {
    for (;;) {
      const found = asked.find(({ url }) => url.startsWith(`/${kind}?`) && url.includes(query))
      if (found !== undefined) return shape(found)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  for (const kind of ['poll', 'longpoll', 'sse', 'ws'] as const) {
    const make: Record<typeof kind, Make> = {
      poll: (common) => pollReader('poll', common, 0, 'ours', 0),
      longpoll: (common) => pollReader('longpoll', common, 0, 'ours', 0),
      sse: (common) => sseReader(common, 0, 'ours'),
      ws: (common) => wsReader(common, 0, 'ours'),
    }
    asked.length = 0
    // The first request of a poll differs from the following ones.
    const later = kind === 'longpoll' ? 'wait=25' : kind === 'poll' ? 'cursor=' : 'channel='
    const feed = connect(url, {
      transports: [kind],
      channels: ['theirs'],
      pollInterval: 10,
      WebSocket,
      EventSource: Source as never,
    })
    const theirs = await shapeOf(kind, later)
    feed.close()
    asked.length = 0
    const reader = make[kind]({
      target: { host: '127.0.0.1', port, path: '' },
      profile: 'fetch',
      interval: 0.01,
      pause: false,
      wait: 25,
      tally: { requests: 0, empty: 0, connections: 0, deliveries: 0, envelopes: 0, up: 0, down: 0 },
      cycles: [],
      open: new Set(),
      fault: (text) => t.fail(text),
      deliver: () => {},
    })
    const ours = await shapeOf(kind, later)
    reader.stop()
    t.same(ours.query, theirs.query, kind)
    if (kind === 'poll' || kind === 'longpoll') t.same(ours.headers, theirs.headers, `${kind}: headers`)
    const named = headersOf('fetch', kind, 'a').toLowerCase()
    const upgrade = /^(connection|upgrade|sec-websocket-)/
    t.same(
      ours.headers.filter((name) => !named.includes(`${name}:`) && !(kind === 'ws' && upgrade.test(name))),
      [],
      `${kind}: no other headers than the profile's`,
    )
  }
})
