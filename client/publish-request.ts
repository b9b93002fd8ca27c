import type { PublishOptions } from './types.ts'

/** A frame that any server of this kind takes, whatever payload it allows: a larger one could end the socket. */
const MAX_FRAME = 4096

/** What somebody publishes, made ready when the call is made. */
export interface PublishRequest {
  /** Of a POST. */
  readonly query: [string, unknown][]
  readonly key: string | undefined
  readonly type: string
  readonly body: string | Uint8Array<ArrayBuffer>
  /** The members of a publish frame, as JSON; undefined where it would be too large for a socket. */
  readonly frame: string | undefined
}

/** @throws TypeError for what can't be published on every way alike */
export function publishRequestOf(
  channel: string,
  data: unknown,
  { key, end }: PublishOptions,
): PublishRequest {
  if (typeof channel !== 'string') throw new TypeError("'channel' must be a string")
  // More could not stand in a header.
  if (key !== undefined && (typeof key !== 'string' || !/^(?! )[ -~]{1,128}(?<! )$/.test(key)))
    throw Object.assign(new TypeError("'key' must be 1 to 128 printable ASCII characters"), {
      code: 'TIDINGS_ERR_KEY',
    })
  const bytes = bytesOf(data)
  const text = typeof data === 'string'
  // Half of a character would become another one on some ways.
  const none = end && data === undefined
  const body = bytes ?? (text ? data.replace(/\p{Cs}/gu, '\ufffd') : none ? '' : JSON.stringify(data))
  if (body === undefined) throw new TypeError("'data' must be bytes, a string, or what JSON can say")
  const named = { channel, ...(end && { end }) }
  let frame: string | undefined
  if (body.length <= MAX_FRAME) {
    const json = bytes
      ? `"${btoa(String.fromCharCode(...bytes))}","encoding":"base64"`
      : text
        ? JSON.stringify(body)
        : body
    const members = JSON.stringify({ ...named, key }).slice(1, -1)
    frame = `"type":"publish",${members}${none ? '' : `,"data":${json}`}`
    if (new TextEncoder().encode(frame).length > MAX_FRAME - 30) frame = undefined
  }
  const type = bytes ? 'application/octet-stream' : text ? 'text/plain' : 'application/json'
  return { query: Object.entries(named), key, type, body, frame }
}

/** A copy of the bytes that somebody publishes; undefined where it is text or JSON. */
function bytesOf(data: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0))
  if (!ArrayBuffer.isView(data)) return undefined
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).slice()
}
