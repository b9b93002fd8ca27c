import { isUtf8 } from 'node:buffer'
import { ERR_DATA, ERR_JSON, ERR_UTF8 } from './errors.ts'

/** What a publisher called its data: a JSON value, a string, or bytes. */
export type Kind = 'json' | 'text' | 'bytes'

/**
 * What an entry of the log does to its channel. `end`: nothing can be published to it any more; there may be data.
 * Without data, and not kept, are `reopen`: it has not ended, and `delete`: nothing of it is kept, its end neither.
 */
export type Mark = 'end' | 'reopen' | 'delete'

/** A payload as the log takes it: validated, and already in the form in which an envelope carries it. */
export interface Payload {
  readonly kind: Kind
  /**
   * The envelope's `data` and what stands beside it: JSON text, a JSON string, or base64 with its `encoding`. Empty where
   * there is no data, as only a mark may have it.
   */
  readonly json: string
  /** Bytes of the payload itself. */
  readonly size: number
  /** Absent from a message. */
  readonly mark?: Mark
}

/** A class repeated, and not a group: for each turn of a group V8 would keep a place to come back to. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** What follows the base64 string of a payload of bytes. */
export const BASE64_MARK = ',"encoding":"base64"'

/**
 * JSON text, kept to the letter, so that no number loses a digit. CR and LF, legal only between tokens (RFC 8259
 * section 2), become spaces, so that the text stands on one line.
 * @throws TIDINGS_ERR_JSON
 */
export function jsonPayload(text: string): Payload {
  try {
    JSON.parse(text)
  } catch {
    throw new ERR_JSON()
  }
  return { kind: 'json', json: text.replace(/[\r\n]/g, ' '), size: Buffer.byteLength(text) }
}

export function textPayload(text: string): Payload {
  return { kind: 'text', json: JSON.stringify(text), size: Buffer.byteLength(text) }
}

export function bytesPayload(bytes: Uint8Array): Payload {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
  return { kind: 'bytes', json: `"${base64}"${BASE64_MARK}`, size: bytes.byteLength }
}

/** @throws TIDINGS_ERR_DATA where the text is not base64 (RFC 4648 section 4, padded). */
export function base64Payload(base64: unknown): Payload {
  if (typeof base64 !== 'string' || base64.length % 4 !== 0 || !BASE64.test(base64)) {
    throw new ERR_DATA("'data' must be base64, as 'encoding' says")
  }
  return bytesPayload(Buffer.from(base64, 'base64'))
}

const NO_DATA = { kind: 'json', json: '', size: 0 } as const

/** The end of a channel. @param data the last that comes in it, if any */
export function endPayload(data: Payload = NO_DATA): Payload {
  return { ...data, mark: 'end' }
}

/** The channel goes on. */
export const REOPEN: Payload = { ...NO_DATA, mark: 'reopen' }

/** All that the channel has goes. */
export const DELETE: Payload = { ...NO_DATA, mark: 'delete' }

/** Whether a channel that has ended takes it. */
export function reopens({ mark }: Pick<Payload, 'mark'>): boolean {
  return mark === 'reopen' || mark === 'delete'
}

/** @throws TIDINGS_ERR_UTF8 */
export function utf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new ERR_UTF8()
  return bytes.toString('utf8')
}

/**
 * What a program publishes: a string is text, bytes are bytes, anything else is the JSON that JSON.stringify makes.
 * @throws TIDINGS_ERR_DATA where there is no such JSON
 */
export function payloadOf(data: unknown): Payload {
  if (typeof data === 'string') return textPayload(data)
  if (data instanceof Uint8Array) return bytesPayload(data)
  let json: string | undefined
  try {
    json = JSON.stringify(data)
  } catch (cause) {
    throw new ERR_DATA(`'data' can't be written as JSON: ${(cause as Error).message}`)
  }
  if (json === undefined) throw new ERR_DATA(`'data' can't be written as JSON: ${typeof data}`)
  return { kind: 'json', json, size: Buffer.byteLength(json) }
}
