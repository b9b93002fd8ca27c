import type { Batch, Encoder } from '../../bus/batch.ts'
import { End, type Entry } from '../../bus/message.ts'

const END_OF_LINE = Buffer.from('\r\n')

/**
 * Encodes each message as a server-sent event: `data` is the envelope, on one line, and `id` the cursor. The id comes
 * last: some parsers apply it at its line, and would resume after a message that was cut off there.
 */
export const events: Encoder = { name: 'events', encode: (batch) => Buffer.from(envelopeEvents(batch)) }

/** The same events as one chunk of the chunked coding (RFC 9112 section 7.1). */
export const eventsChunk: Encoder = { name: 'eventsChunk', encode: (batch) => chunk(envelopeEvents(batch)) }

/** Encodes payloads without envelopes. */
export const rawEvents: Encoder = { name: 'rawEvents', encode: (batch) => Buffer.from(payloadEvents(batch)) }

export const rawEventsChunk: Encoder = {
  name: 'rawEventsChunk',
  encode: (batch) => chunk(payloadEvents(batch)),
}

/** @param cursor the place from which the reader resumes */
export function endEvent(end: End, cursor: string): string {
  return `event: end\ndata: {${end.members(cursor)}}\nid: ${cursor}\n\n`
}

function envelopeEvents(batch: Batch): string {
  return envelopeEventsOf(batch).join('')
}

function payloadEvents(batch: Batch): string {
  return payloadEventsOf(batch).join('')
}

/** The events of a batch. */
export function envelopeEventsOf(batch: Batch): string[] {
  return eventsOf(batch, (entry) => `data: ${batch.envelopeOf(entry)}`)
}

/** The events of a batch in the raw form. */
export function payloadEventsOf(batch: Batch): string[] {
  return eventsOf(batch, payloadLines)
}

/** @param linesOf returns the lines of a message */
function eventsOf(batch: Batch, linesOf: (entry: Entry) => string): string[] {
  const texts = []
  for (const entry of batch.entries) {
    const cursor = batch.cursorOf(entry)
    if (entry instanceof End && entry.end) texts.push(endEvent(entry, cursor))
    else if (!entry.bare) texts.push(`${linesOf(entry)}\nid: ${cursor}\n\n`)
  }
  return texts
}

/** Splits text at CRLF, CR and LF, as an EventSource does, which joins the lines with LF. */
function payloadLines(entry: Entry): string {
  const { payload } = entry
  if (typeof payload !== 'string') return `event: bytes\ndata: ${payload.toString('base64')}`
  return `data: ${payload.replace(/\r\n?/g, '\n').replaceAll('\n', '\ndata: ')}`
}

/** Wraps bytes in a chunk (RFC 9112 section 7.1). Empty input gives no chunk, since an empty chunk is the last one. */
export function chunk(content: string | Buffer): Buffer {
  if (content.length === 0) return Buffer.alloc(0)
  const head = `${Buffer.byteLength(content).toString(16)}\r\n`
  if (typeof content === 'string') return Buffer.from(`${head}${content}\r\n`)
  return Buffer.concat([Buffer.from(head), content, END_OF_LINE])
}
