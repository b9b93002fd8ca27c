import fc from 'fast-check'
import t from 'tap'
import { Batch, type Encoder } from '../../bus/batch.ts'
import { Entry } from '../../bus/message.ts'
import { bytesPayload, jsonPayload, type Payload, textPayload } from '../../bus/payload.ts'
import { PAGE_FRAME, page } from '../../routes/poll/encoder.ts'
import { chunk, events, eventsChunk, rawEvents, rawEventsChunk } from '../../routes/sse/encoder.ts'
import { frames, rawFrames, textFrame } from '../../routes/ws/encoder.ts'

const EPOCH = 'k3f9xq2a'

function batchOf(payloads: readonly Payload[], { first = 1, more = false } = {}): Batch {
  const entries = payloads.map((payload, i) => new Entry(EPOCH, first + i, 'news', 1790000000000, payload))
  return new Batch(EPOCH, entries, first + payloads.length - 1, more)
}

/** What an EventSource makes of a stream (WHATWG HTML, "Interpreting an event stream"). */
function readEvents(stream: string): { id: string; type: string; data: string }[] {
  const dispatched: { id: string; type: string; data: string }[] = []
  let id = ''
  let type = 'message'
  let data = ''
  for (const line of stream.split(/\r\n|\r|\n/)) {
    const colon = line.indexOf(':')
    const field = line.slice(0, colon)
    const value = line.slice(colon + 1).replace(/^ /, '')
    if (line === '') {
      if (data !== '') dispatched.push({ id, type, data: data.slice(0, -1) })
      type = 'message'
      data = ''
    } else if (field === 'id') id = value
    else if (field === 'event') type = value
    else if (field === 'data') data += `${value}\n`
  }
  return dispatched
}

/** Frames as RFC 6455 section 5.2 has them, from a server. */
function readFrames(bytes: Buffer): { binary: boolean; header: number; payload: Buffer }[] {
  const read = []
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at]!
    if (first !== 0x81 && first !== 0x82) throw new Error(`first byte ${first}`)
    const short = bytes[at + 1]!
    if (short > 127) throw new Error('masked')
    const header = short < 126 ? 2 : short === 126 ? 4 : 10
    const size =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    const payload = bytes.subarray(at + header, at + header + size)
    if (payload.length !== size) throw new Error('cut off')
    read.push({ binary: first === 0x82, header, payload })
    at += header + size
  }
  return read
}

/** One chunk's content (RFC 9112 section 7.1). */
function unchunk(bytes: Buffer): Buffer {
  const line = bytes.indexOf('\r\n')
  const size = Number.parseInt(bytes.toString('latin1', 0, line), 16)
  if (bytes.length !== line + 2 + size + 2 || bytes.toString('latin1', bytes.length - 2) !== '\r\n') {
    throw new Error('not one chunk')
  }
  return bytes.subarray(line + 2, line + 2 + size)
}

const hostile = [
  textPayload(''),
  textPayload('\r\n'),
  textPayload('id: 1\n\nevent: gap\rdata: x\r\ndata'),
  textPayload(' leading and trailing \n'),
  textPayload('"}],"more":true}\\'),
  textPayload('"data":7,"encoding":"base64"'),
  textPayload('\ud800 é😀\u2028\0'),
  jsonPayload('\n{"data" :\r\n[12345678901234567890.10,"\\r\\n"]}'),
  jsonPayload('"\\ud800"'),
  jsonPayload('null'),
  bytesPayload(Buffer.alloc(0)),
  bytesPayload(Buffer.from([0, 10, 13, 255])),
]

t.test('an entry gives back what was published', async (t) => {
  const { entries } = batchOf(hostile)
  t.strictSame(
    entries.map(({ payload }) => payload),
    [
      '',
      '\r\n',
      'id: 1\n\nevent: gap\rdata: x\r\ndata',
      ' leading and trailing \n',
      '"}],"more":true}\\',
      '"data":7,"encoding":"base64"',
      '\ud800 é😀\u2028\0',
      ' {"data" :  [12345678901234567890.10,"\\r\\n"]}',
      '"\\ud800"',
      'null',
      Buffer.alloc(0),
      Buffer.from([0, 10, 13, 255]),
    ],
  )
  t.strictSame(entries[7]!.value, { data: [1.2345678901234567e19, '\r\n'] })
  t.equal(entries[9]!.value, null)
  t.equal(entries[1]!.value, '\r\n')
  t.strictSame(entries[11]!.value, Buffer.from([0, 10, 13, 255]))
  for (const { envelope, size, weight } of entries) {
    t.notMatch(envelope, /[\r\n]/, 'an envelope stands on one line')
    t.equal(size, Buffer.from(envelope).length)
    t.ok(weight > size, 'it weighs what it takes in memory')
  }
  t.equal(
    entries[11]!.envelope,
    `{"cursor":"${EPOCH}.12","channel":"news","time":1790000000000,"data":"AAoN/w==","encoding":"base64"}`,
  )
})

t.test('a page is JSON, with the cursor to go on from', async (t) => {
  const parsed = JSON.parse(String(batchOf(hostile, { more: true }).as(page)))
  t.equal(parsed.cursor, `${EPOCH}.12`)
  t.equal(parsed.more, true)
  t.strictSame(
    parsed.messages.map((message: { data: unknown }) => message.data),
    hostile.map(({ json, kind }) => (kind === 'bytes' ? JSON.parse(json.split(',')[0]!) : JSON.parse(json))),
  )
  t.strictSame(parsed.messages[11], {
    cursor: `${EPOCH}.12`,
    channel: 'news',
    time: 1790000000000,
    data: 'AAoN/w==',
    encoding: 'base64',
  })
  const empty = new Batch(EPOCH, [], 0, false)
  t.equal(String(empty.as(page)), `{"cursor":"${EPOCH}.0","messages":[],"more":false}`)
})

t.test('a page weighs no more than its envelopes and its frame', async (t) => {
  const first = Number.MAX_SAFE_INTEGER - hostile.length
  const { entries } = batchOf(hostile, { first })
  const longest = new Batch('e'.repeat(32), entries, Number.MAX_SAFE_INTEGER, false)
  const envelopes = entries.reduce((sum, { size }) => sum + size + 1, 0)
  t.ok(Buffer.byteLength(longest.as(page)) <= envelopes + PAGE_FRAME)
})

t.test('a large page is the same JSON', async (t) => {
  const text = 'é'.repeat(10_000)
  const parsed = JSON.parse(String(batchOf([textPayload(text)]).as(page)))
  t.equal(parsed.messages[0].data, text)
})

t.test('events carry envelopes, each under its cursor', async (t) => {
  const batch = batchOf(hostile)
  const read = readEvents(batch.as(events).toString())
  t.strictSame(
    read,
    batch.entries.map(({ envelope, seq }) => ({ id: `${EPOCH}.${seq}`, type: 'message', data: envelope })),
  )
  t.strictSame(unchunk(batch.as(eventsChunk)), batch.as(events))
})

t.test('raw events carry payloads, lines ended by LF', async (t) => {
  const batch = batchOf(hostile)
  t.strictSame(
    readEvents(batch.as(rawEvents).toString()),
    batch.entries.map(({ payload, seq }) => ({
      id: `${EPOCH}.${seq}`,
      type: typeof payload === 'string' ? 'message' : 'bytes',
      data:
        typeof payload === 'string'
          ? Buffer.from(payload)
              .toString()
              .replace(/\r\n|\r/g, '\n')
          : payload.toString('base64'),
    })),
  )
  t.strictSame(unchunk(batch.as(rawEventsChunk)), batch.as(rawEvents))
  t.equal(
    batchOf([textPayload('')])
      .as(rawEvents)
      .toString(),
    `data: \nid: ${EPOCH}.1\n\n`,
    'an empty payload',
  )
})

t.test('frames carry envelopes as text', async (t) => {
  const batch = batchOf(hostile)
  t.strictSame(
    readFrames(batch.as(frames)).map(({ binary, payload }) => [binary, payload.toString()]),
    batch.entries.map(({ envelope }) => [false, envelope]),
  )
})

t.test('raw frames carry payloads: bytes are binary', async (t) => {
  const batch = batchOf(hostile)
  t.strictSame(
    readFrames(batch.as(rawFrames)).map(({ binary, payload }) => [binary, payload]),
    batch.entries.map(({ payload }) => [typeof payload !== 'string', Buffer.from(payload as string)]),
  )
})

t.test('a frame has a header of 2, 4 or 10 bytes', async (t) => {
  for (const [size, header] of [
    [0, 2],
    [1, 2],
    [125, 2],
    [126, 4],
    [127, 4],
    [65_535, 4],
    [65_536, 10],
    [65_537, 10],
  ] as const) {
    const bytes = Buffer.alloc(size, 7)
    t.strictSame(readFrames(batchOf([bytesPayload(bytes)]).as(rawFrames)), [
      { binary: true, header, payload: bytes },
    ])
    const text = 'x'.repeat(size)
    t.strictSame(readFrames(textFrame(text)), [{ binary: false, header, payload: Buffer.from(text) }])
  }
  t.equal(readFrames(textFrame('é'.repeat(63)))[0]!.header, 4, 'bytes count, not characters')
})

t.test('a chunk gives its size in bytes', async (t) => {
  t.equal(chunk(':\n').toString(), '2\r\n:\n\r\n')
  t.equal(chunk('é'.repeat(128)).toString('latin1', 0, 5), '100\r\n')
})

t.test('whatever the payloads are, each form gives them back', async () => {
  const payload = fc.oneof(
    fc.string({ unit: 'binary' }).map(textPayload),
    fc.string({ unit: fc.constantFrom('\r', '\n', ' ', ':', '"', '\\', 'd') }).map(textPayload),
    fc.uint8Array().map(bytesPayload),
    fc.json().map(jsonPayload),
  )
  fc.assert(
    fc.property(fc.array(payload, { maxLength: 6 }), (payloads) => {
      const batch = batchOf(payloads)
      const envelopes = batch.entries.map(({ envelope }) => envelope)
      const raw = batch.entries.map((entry) => entry.payload)
      const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
      return (
        same(
          JSON.parse(String(batch.as(page))).messages,
          envelopes.map((text) => JSON.parse(text)),
        ) &&
        same(
          readEvents(batch.as(events).toString()).map(({ data }) => data),
          envelopes,
        ) &&
        same(
          readFrames(batch.as(frames)).map((frame) => frame.payload.toString()),
          envelopes,
        ) &&
        same(
          readFrames(batch.as(rawFrames)).map((frame) => frame.payload.toString('hex')),
          raw.map((data) => Buffer.from(data as string).toString('hex')),
        ) &&
        same(
          readEvents(batch.as(rawEvents).toString()).map(({ data }) => data),
          raw.map((data) =>
            typeof data === 'string' ? data.replace(/\r\n|\r/g, '\n') : data.toString('base64'),
          ),
        )
      )
    }),
  )
})

t.test('a batch is encoded at most once for each form', async (t) => {
  let calls = 0
  const counting: Encoder = {
    name: 'counting',
    encode(batch) {
      calls++
      return Buffer.from(batch.cursor)
    },
  }
  const batch = batchOf([textPayload('a')])
  t.equal(batch.as(counting), batch.as(counting), 'the same bytes for all')
  t.equal(calls, 1)
  t.equal(batch.as(events), batch.as(events))
  t.not(batch.as(events), batch.as(frames))
})
