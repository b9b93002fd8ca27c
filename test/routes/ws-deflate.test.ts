import { randomBytes } from 'node:crypto'
import { constants, createDeflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { build, openRaw } from '../helper.ts'
import {
  handshake,
  maskedFrame,
  OPCODE,
  openRawSocket,
  type RawSocket,
  type WireFrame,
} from '../raw-socket.ts'

const DEFLATE = 'permessage-deflate'
const AGREED = `${DEFLATE}; server_no_context_takeover; client_no_context_takeover`
const OFFER = { 'sec-websocket-extensions': `${DEFLATE}; client_max_window_bits` }
const TAIL = Buffer.of(0, 0, 255, 255)
const RSV1 = 0x40

/** What the server answers to an offer: the status, and what it agrees to. */
async function answerTo(t: Test, port: number, path: string, offer: string): Promise<string> {
  const raw = await openRaw(t, port)
  raw.socket.write(handshake(path, { 'sec-websocket-extensions': offer }))
  const head = await raw.until('\r\n\r\n')
  raw.socket.destroy()
  const agreed = /^sec-websocket-extensions: (.*)\r$/im.exec(head)?.[1]
  return `${head.slice(9, 12)} ${agreed ?? 'none'}`
}

t.test('an offer is taken, or refused, or can not be read', async (t) => {
  const { port } = await build(t, { compression: true, echo: true })
  const window = '; server_max_window_bits=13'
  const rows: [string, string][] = [
    ['permessage-deflate', AGREED],
    ['permessage-deflate; client_max_window_bits', AGREED],
    ['permessage-deflate; client_max_window_bits=8', AGREED],
    ['permessage-deflate;client_max_window_bits = "15"', AGREED],
    [String.raw`permessage-deflate; client_max_window_bits="1\0"`, AGREED],
    ['permessage-deflate; server_no_context_takeover', AGREED],
    ['permessage-deflate; client_no_context_takeover; server_no_context_takeover', AGREED],
    ['permessage-deflate; server_max_window_bits=15', AGREED + window],
    ['permessage-deflate; server_max_window_bits=13', AGREED + window],
    [`permessage-deflate; server_max_window_bits="15"; client_max_window_bits`, AGREED + window],
    ['x, , permessage-deflate ,', AGREED],
    [', permessage-deflate', AGREED],
    // Each is refused, and the next is taken.
    ...[
      'server_max_window_bits=12',
      'server_max_window_bits=8',
      'server_max_window_bits',
      'server_max_window_bits=16',
      'server_max_window_bits=015',
      'client_max_window_bits=7',
      'client_max_window_bits=08',
      'client_max_window_bits=16',
      'client_max_window_bits=ten',
      'client_max_window_bits=15; client_max_window_bits=15',
      'server_no_context_takeover=1',
      'server_no_context_takeover="true"',
      'server_no_context_takeover; server_no_context_takeover',
      'client_no_context_takeover=0',
      'Server_No_Context_Takeover',
      'level=9',
      '__proto__',
    ].flatMap((parameter): [string, string][] => [
      [`permessage-deflate; ${parameter}`, 'none'],
      [`permessage-deflate; ${parameter}, permessage-deflate`, AGREED],
    ]),
    ['x-webkit-deflate-frame', 'none'],
    ['permessage-bzip2; level=9', 'none'],
    ['Permessage-Deflate', 'none'],
  ]
  for (const [offer, agreed] of rows) {
    t.equal(await answerTo(t, port, '/ws', offer), `101 ${agreed}`, offer)
    t.equal(await answerTo(t, port, '/echo', offer), '101 none', `${offer}, on /echo`)
  }
  // RFC 6455 section 9.1: what is malformed fails the connection.
  const malformed = [
    '',
    ',',
    ';',
    'a b',
    'a;',
    'a; =',
    'a; b=',
    'a; b="c',
    'a; b="c d"',
    'a; b=""',
    'a,,b;c=d=e',
    '"a"',
  ]
  for (const offer of malformed) t.match(await answerTo(t, port, '/ws', offer), /^400 /, offer)
  const raw = await openRaw(t, port)
  raw.socket.write(handshake('/ws', { 'sec-websocket-extensions': 'a;' }))
  t.match(await raw.until('}'), /TIDINGS_ERR_WS_EXTENSIONS/)
})

t.test('without the option none is taken, nor read', async (t) => {
  const { port } = await build(t, { compression: false })
  for (const offer of [DEFLATE, 'a;']) t.equal(await answerTo(t, port, '/ws', offer), '101 none', offer)
})

function contentOf({ rsv1, payload }: WireFrame): Buffer {
  if (!rsv1) return payload
  return inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH })
}

t.test('offers, sizes, one by one and in a batch: what goes out', async (t) => {
  const { app, port } = await build(t, { compression: { threshold: 100 } })
  const sizes = [0, 1, 99, 100, 125, 126, 1000, 65_535, 65_536, 200_000, 262_144, 262_145]
  const offers: Record<string, boolean> = {
    '': false,
    'permessage-deflate; x': false,
    'permessage-deflate': true,
    'permessage-deflate; server_max_window_bits=15; client_max_window_bits': true,
  }
  for (const [offer, agreed] of Object.entries(offers)) {
    const headers: Record<string, string> = offer === '' ? {} : { 'sec-websocket-extensions': offer }
    const raw = await openRawSocket(t, port, '/ws?format=raw', headers)
    const check = async (data: string | Buffer) => {
      const frame = await raw.next()
      const compressed = agreed && typeof data === 'string' && data.length >= 100 && data.length <= 262_144
      const what = `${offer}: ${data.length} ${typeof data}`
      t.equal(frame.rsv1, compressed, what)
      t.equal(frame.fin, true)
      t.equal(frame.opcode, typeof data === 'string' ? OPCODE.text : OPCODE.binary)
      t.ok(contentOf(frame).equals(Buffer.from(data)), what)
      if (compressed) t.ok(frame.payload.length < data.length)
    }
    // Bytes of chance are no shorter when they are compressed.
    const all = sizes.flatMap((size) => ['x'.repeat(size), randomBytes(size)])
    for (const data of all) {
      await app.tidings.publish('default', data)
      await check(data)
    }
    await Promise.all(all.map((data) => app.tidings.publish('default', data)))
    for (const data of all) await check(data)
    raw.socket.destroy()
  }
})

t.test('with envelopes: what is not a message goes out as it is, a long end too', async (t) => {
  const { app, port } = await build(t, {
    compression: { threshold: 100 },
    publish: true,
    heartbeat: { ws: 16 },
  })
  const raw = await openRawSocket(t, port, '/ws?channel=a&cursor=earliest', OFFER)
  const next = async () => {
    for (;;) {
      const frame = await raw.next()
      if (frame.opcode === OPCODE.text) return frame
      t.notOk(frame.rsv1, 'a control frame')
    }
  }
  t.notOk((await next()).rsv1)
  const message = await app.tidings.publish('a', 'long '.repeat(100))
  const frame = await next()
  t.ok(frame.rsv1)
  t.strictSame(JSON.parse(contentOf(frame).toString()), message)
  raw.send({ type: 'publish', channel: 'b', data: 'x'.repeat(200), ref: 'r'.repeat(500) })
  t.notOk((await next()).rsv1)
  await app.tidings.end('a', 'end '.repeat(100))
  const end = await next()
  t.ok(end.rsv1)
  t.match(JSON.parse(contentOf(end).toString()), { type: 'end', channel: 'a', data: 'end '.repeat(100) })
})

/** A message as a client compresses it, by itself. */
const deflate = (text: string | Buffer) =>
  deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)

function fragments(bytes: Buffer, count: number): Buffer[] {
  const size = Math.ceil(bytes.length / count)
  return Array.from({ length: count }, (_, i) =>
    maskedFrame(
      i === 0 ? RSV1 | OPCODE.text : OPCODE.more,
      bytes.subarray(i * size, (i + 1) * size),
      i === count - 1,
    ),
  )
}

async function closeOf(raw: RawSocket): Promise<number> {
  for (;;) {
    const { opcode, payload } = await raw.next()
    if (opcode === OPCODE.close) return payload.readUInt16BE()
  }
}

t.test('what a client sends compressed, whole and in fragments, beside what it does not', async (t) => {
  const { app, port } = await build(t, { compression: true, publish: true, retention: { messages: 100 } })
  const raw = await openRawSocket(t, port, '/ws?format=raw&channel=in', OFFER)
  const sent: string[] = []
  for (const size of [0, 1, 1000, 60_000]) {
    for (const count of [1, 2, 7]) {
      for (const text of [`${size} ${count}`.padEnd(size, '.'), randomBytes(size / 2).toString('hex')]) {
        sent.push(text, `plain ${text.length}`)
        for (const frame of fragments(deflate(text), count)) {
          raw.socket.write(frame)
          // Control frames may stand between.
          raw.socket.write(maskedFrame(OPCODE.ping))
        }
        raw.socket.write(maskedFrame(OPCODE.text, `plain ${text.length}`))
      }
    }
  }
  const got = []
  for await (const { data } of app.tidings.subscribe<string>('in', { cursor: 'earliest' })) {
    got.push(data)
    if (got.length === sent.length) break
  }
  t.strictSame(got, sent)
  raw.socket.destroy()
})

/** Compressed megabytes of zeros: each by itself, so that as many can stand behind each other as one likes. */
const megabytes = (count: number) =>
  Buffer.concat(
    Array.from({ length: count }, () =>
      deflateRawSync(Buffer.alloc(2 ** 20), { finishFlush: constants.Z_FULL_FLUSH }),
    ),
  ).subarray(0, -4)

t.test('a bomb is ended before it goes off', async (t) => {
  const { app, port } = await build(t, { compression: true, publish: true })
  const bomb = megabytes(300)
  t.ok(bomb.length < 390_000, 'it is no longer than a frame may be')
  for (const count of [1, 10, 100]) {
    const before = process.memoryUsage().rss
    const raw = await openRawSocket(t, port, '/ws', OFFER)
    for (const frame of fragments(bomb, count)) raw.socket.write(frame)
    t.equal(await closeOf(raw), 1009, `in ${count} frames`)
    t.ok(process.memoryUsage().rss - before < 100 * 2 ** 20, 'nobody had 300 MiB for it')
    raw.socket.destroy()
  }
  // One byte too many, and as many as may be.
  const most = 6 * 65_536 + 4096
  const text = (size: number) => `{"type":"ping","x":"${'x'.repeat(size - 22)}"}`
  const full = await openRawSocket(t, port, '/ws', OFFER)
  t.equal(text(most).length, most)
  full.socket.write(maskedFrame(RSV1 | OPCODE.text, deflate(text(most))))
  t.match(await full.json(), { type: 'ready' })
  t.match(await full.json(), { type: 'pong' })
  full.socket.write(maskedFrame(RSV1 | OPCODE.text, deflate(text(most + 1))))
  t.equal(await closeOf(full), 1009)
  t.equal(app.tidings.bus.log.head, 0)
})

t.test('one that says nothing reserved, and what is no deflate', async (t) => {
  const { port } = await build(t, { compression: true, publish: true })
  // The second half of a stream that goes on: it refers to what came before.
  const going = createDeflateRaw()
  const flushed = (text: string) =>
    new Promise<Buffer>((resolve) => {
      going.write(text)
      going.flush(constants.Z_SYNC_FLUSH, () => resolve((going.read() as Buffer).subarray(0, -4)))
    })
  const history = 'what came before is not kept, and nobody may refer to it'
  await flushed(history)
  const referring = await flushed(history)
  const whole = deflate('hello')
  const rows: [string, Record<string, string>, Buffer[], number][] = [
    ['nothing was agreed', {}, [maskedFrame(RSV1 | OPCODE.text, whole)], 1002],
    ['RSV2', OFFER, [maskedFrame(0x20 | OPCODE.text, whole)], 1002],
    ['a ping', OFFER, [maskedFrame(RSV1 | OPCODE.ping, whole)], 1002],
    ['a close', OFFER, [maskedFrame(RSV1 | OPCODE.close)], 1002],
    [
      'a further fragment',
      OFFER,
      [
        maskedFrame(RSV1 | OPCODE.text, whole.subarray(0, 3), false),
        maskedFrame(RSV1 | OPCODE.more, whole.subarray(3)),
      ],
      1002,
    ],
    [
      'a further fragment alone',
      OFFER,
      [maskedFrame(OPCODE.text, 'a', false), maskedFrame(RSV1 | OPCODE.more, whole)],
      1002,
    ],
    ['no deflate', OFFER, [maskedFrame(RSV1 | OPCODE.text, Buffer.of(0xff, 0xff, 0xff))], 1007],
    ['no UTF-8', OFFER, [maskedFrame(RSV1 | OPCODE.text, deflate(Buffer.of(0xff)))], 1007],
    [
      'another message',
      OFFER,
      [maskedFrame(RSV1 | OPCODE.text, deflate('{}')), maskedFrame(RSV1 | OPCODE.text, referring)],
      1007,
    ],
  ]
  for (const [what, headers, frames, code] of rows) {
    const raw = await openRawSocket(t, port, '/ws', headers)
    raw.socket.write(Buffer.concat(frames))
    t.equal(await closeOf(raw), code, what)
    raw.socket.destroy()
  }
})
