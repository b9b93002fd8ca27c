import { isUtf8 } from 'node:buffer'
import { ERR_DATA, ERR_JSON, ERR_UTF8 } from './errors.ts'

/** The type of the published data: a JSON value, a string or bytes. */
export type Kind = 'json' | 'text' | 'bytes'

/**
 * The effect of an entry on its channel. `end` ends the channel, with or without data. `reopen` reopens it. `delete`
 * removes its messages and its end. `reopen` and `delete` have no data and are not kept.
 */
export type Mark = 'end' | 'reopen' | 'delete'

/** A validated payload, serialised as it appears in an envelope. */
export interface Payload {
  readonly kind: Kind
  /**
   * The value of the envelope's `data`: JSON text, a JSON string, or base64 followed by `encoding`. Empty if there is
   * no data, which only a mark may lack.
   */
  readonly json: string
  /** Bytes of the payload, before serialisation. */
  readonly size: number
  /** Undefined for a message. */
  readonly mark?: Mark
}

/** Repeats a class, not a group: V8 would store a backtracking position for each repetition of a group. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Follows the base64 string in an envelope. */
export const BASE64_MARK = ',"encoding":"base64"'

/**
 * Keeps JSON as text, so that no number loses a digit. CR and LF, which are legal only between tokens (RFC 8259
 * section 2), become spaces, so that the text is one line.
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

/** @throws TIDINGS_ERR_DATA if the text is not padded base64 (RFC 4648 section 4). */
export function base64Payload(base64: unknown): Payload {
  if (typeof base64 !== 'string' || base64.length % 4 !== 0 || !BASE64.test(base64)) {
    throw new ERR_DATA("'data' must be base64, because 'encoding' is 'base64'")
  }
  return bytesPayload(Buffer.from(base64, 'base64'))
}

const NO_DATA = { kind: 'json', json: '', size: 0 } as const

/** Ends a channel. @param data the last data of the channel, if any */
export function endPayload(data: Payload = NO_DATA): Payload {
  return { ...data, mark: 'end' }
}

/** Reopens a channel. */
export const REOPEN: Payload = { ...NO_DATA, mark: 'reopen' }

/** Removes every message of a channel. */
export const DELETE: Payload = { ...NO_DATA, mark: 'delete' }

/** Whether it may be published to a channel that has ended. */
export function reopens({ mark }: Pick<Payload, 'mark'>): boolean {
  return mark === 'reopen' || mark === 'delete'
}

/** @throws TIDINGS_ERR_UTF8 */
export function utf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new ERR_UTF8()
  return bytes.toString('utf8')
}

/**
 * Converts a program's value: a string to text, a Uint8Array to bytes, anything else to JSON by JSON.stringify.
 * @throws TIDINGS_ERR_DATA if the value has no JSON
 */
export function payloadOf(data: unknown): Payload {
  if (typeof data === 'string') return textPayload(data)
  if (data instanceof Uint8Array) return bytesPayload(data)
  let json: string | undefined
  try {
    json = JSON.stringify(data)
  } catch (cause) {
    throw new ERR_DATA(`'data' cannot be serialized as JSON: ${(cause as Error).message}`)
  }
  if (json === undefined) throw new ERR_DATA(`'data' cannot be serialized as JSON: ${typeof data}`)
  return { kind: 'json', json, size: Buffer.byteLength(json) }
}
