import type { Batch, Encoder } from '../../bus/batch.ts'
import { End, type Entry } from '../../bus/message.ts'

/** Characters up to which a page is left a text: node:http joins it with the head into one write. */
const SMALL_PAGE = 4096

/** The body of a poll's answer. */
export const page: Encoder<Buffer | string> = {
  name: 'page',
  encode(batch) {
    const text = `{"cursor":"${batch.cursor}","messages":[${envelopes(batch)}],"more":${batch.more}${endedOf(batch)}}`
    return text.length <= SMALL_PAGE ? text : Buffer.from(text)
  },
}

function envelopes(batch: Batch): string {
  let text = ''
  for (const entry of batch.entries) {
    // An end without data is told by `ended` alone.
    if (entry.bare) continue
    if (text !== '') text += ','
    text += entry.end ? `${batch.envelopeOf(entry).slice(0, -1)},"end":true}` : batch.envelopeOf(entry)
  }
  return text
}

function endedOf({ ended }: Batch): string {
  return ended.length === 0 ? '' : `,"ended":["${ended.join('","')}"]`
}

/** What a page weighs beside its envelopes, and one comma an envelope; at most, in bytes. Ends are few. */
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
    joinFrames(
      batch.entries.flatMap((entry) => {
        if (entry instanceof End && entry.end) return textPart(endFrame(entry, batch.cursorOf(entry)))
        if (entry.bare) return []
        const payload = batch.envelopeOf(entry)
        return payload === entry.envelope ? { payload, size: entry.size } : textPart(payload)
      }),
    ),
}

/** @param cursor where its reader goes on */
export function endFrame(end: End, cursor: string): string {
  return `{"type":"end",${end.members(cursor)}}`
}

/** @param cursor where its reader goes on */
export function endEvent(end: End, cursor: string): string {
  return `event: end\ndata: {${end.members(cursor)}}\nid: ${cursor}\n\n`
}

/** WebSocket frames that carry payloads alone: bytes as binary frames, all else as text. There may be none. */
export const rawFrames: Encoder = {
  name: 'rawFrames',
  encode: (batch) =>
    joinFrames(
      batch.entries
        .filter((entry) => !entry.bare)
        .map((entry) => {
          const { payload } = entry
          return { payload, size: Buffer.byteLength(payload) }
        }),
    ),
}

function envelopeEvents(batch: Batch): string {
  return joinEvents(batch, (entry) => `data: ${batch.envelopeOf(entry)}`)
}

function payloadEvents(batch: Batch): string {
  return joinEvents(batch, payloadLines)
}

/** @param linesOf a message's own lines */
function joinEvents(batch: Batch, linesOf: (entry: Entry) => string): string {
  let text = ''
  for (const entry of batch.entries) {
    const cursor = batch.cursorOf(entry)
    if (entry instanceof End && entry.end) text += endEvent(entry, cursor)
    else if (!entry.bare) text += `${linesOf(entry)}\nid: ${cursor}\n\n`
  }
  return text
}

/** An EventSource ends a line at CRLF, CR or LF, and gives the lines of one event back joined by LF. */
function payloadLines(entry: Entry): string {
  const { payload } = entry
  if (typeof payload !== 'string') return `event: bytes\ndata: ${payload.toString('base64')}`
  return `data: ${payload.replace(/\r\n?/g, '\n').replaceAll('\n', '\ndata: ')}`
}

/** One chunk of HTTP/1.1's chunked coding (RFC 9112 section 7.1); none for nothing, which would be the last one. */
export function chunk(text: string): Buffer {
  if (text === '') return Buffer.alloc(0)
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

/** One text frame of our own. */
export function textFrame(text: string): Buffer {
  return joinFrames([textPart(text)])
}

const FIN_TEXT = 0x81
const FIN_BINARY = 0x82

interface FramePart {
  payload: string | Buffer
  /** Bytes. */
  size: number
}

function textPart(text: string): FramePart {
  return { payload: text, size: Buffer.byteLength(text) }
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
