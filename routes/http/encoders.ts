import type { Batch, Encoder } from '../../bus/batch.ts'
import type { Entry } from '../../bus/message.ts'

/** Characters up to which a page is left a text: node:http joins it with the head into one write. */
const SMALL_PAGE = 4096

/** The body of a poll's answer. */
export const page: Encoder<Buffer | string> = {
  name: 'page',
  encode(batch) {
    const envelopes = batch.entries.map((entry) => entry.envelope).join(',')
    const text = `{"cursor":"${batch.cursor}","messages":[${envelopes}],"more":${batch.more}}`
    return text.length <= SMALL_PAGE ? text : Buffer.from(text)
  },
}

/** What a page weighs beside its envelopes, and one comma an envelope; at most, in bytes. */
export const PAGE_FRAME = 96

/**
 * Server-sent events, one a message: `data` is its envelope, which stands on one line, `id` its cursor. The id comes
 * last: some parsers take it at its line, and would go on behind a message that was cut off there.
 */
export const events: Encoder = { name: 'events', encode: (batch) => Buffer.from(envelopeEvents(batch)) }

/** The same events, as one chunk of HTTP/1.1's chunked coding (RFC 9112 section 7.1). */
export const eventsChunk: Encoder = { name: 'eventsChunk', encode: (batch) => chunk(envelopeEvents(batch)) }

/** Server-sent events that carry payloads alone. */
export const rawEvents: Encoder = { name: 'rawEvents', encode: (batch) => Buffer.from(payloadEvents(batch)) }

export const rawEventsChunk: Encoder = {
  name: 'rawEventsChunk',
  encode: (batch) => chunk(payloadEvents(batch)),
}

/** WebSocket text frames, one a message, that carry envelopes. */
export const frames: Encoder = {
  name: 'frames',
  encode: (batch) =>
    joinFrames(batch.entries.map((entry) => ({ payload: entry.envelope, size: entry.size }))),
}

/** WebSocket frames that carry payloads alone: bytes as binary frames, all else as text. */
export const rawFrames: Encoder = {
  name: 'rawFrames',
  encode: (batch) =>
    joinFrames(
      batch.entries.map((entry) => {
        const { payload } = entry
        return { payload, size: Buffer.byteLength(payload) }
      }),
    ),
}

function envelopeEvents(batch: Batch): string {
  let text = ''
  for (const entry of batch.entries) text += eventOf(batch, entry, `data: ${entry.envelope}`)
  return text
}

function payloadEvents(batch: Batch): string {
  let text = ''
  for (const entry of batch.entries) text += eventOf(batch, entry, payloadLines(entry))
  return text
}

function eventOf(batch: Batch, entry: Entry, lines: string): string {
  return `${lines}\nid: ${batch.epoch}.${entry.seq}\n\n`
}

/** An EventSource ends a line at CRLF, CR or LF, and gives the lines of one event back joined by LF. */
function payloadLines(entry: Entry): string {
  const { payload } = entry
  if (typeof payload !== 'string') return `event: bytes\ndata: ${payload.toString('base64')}`
  return `data: ${payload.replace(/\r\n?/g, '\n').replaceAll('\n', '\ndata: ')}`
}

/** One chunk of HTTP/1.1's chunked coding (RFC 9112 section 7.1). */
export function chunk(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

/** One text frame of our own. */
export function textFrame(text: string): Buffer {
  return joinFrames([{ payload: text, size: Buffer.byteLength(text) }])
}

const FIN_TEXT = 0x81
const FIN_BINARY = 0x82

interface FramePart {
  payload: string | Buffer
  /** Bytes. */
  size: number
}

/** Frames as a server sends them: whole, unmasked, with a header of 2, 4 or 10 bytes (RFC 6455 section 5.2). */
function joinFrames(parts: readonly FramePart[]): Buffer {
  let total = 0
  for (const { size } of parts) total += size + (size < 126 ? 2 : size < 65_536 ? 4 : 10)
  const bytes = Buffer.allocUnsafe(total)
  let at = 0
  for (const { payload, size } of parts) {
    bytes[at] = typeof payload === 'string' ? FIN_TEXT : FIN_BINARY
    if (size < 126) {
      bytes[at + 1] = size
      at += 2
    } else if (size < 65_536) {
      bytes[at + 1] = 126
      bytes.writeUInt16BE(size, at + 2)
      at += 4
    } else {
      bytes[at + 1] = 127
      bytes.writeBigUInt64BE(BigInt(size), at + 2)
      at += 10
    }
    if (typeof payload === 'string') bytes.write(payload, at)
    else payload.copy(bytes, at)
    at += size
  }
  return bytes
}
