import type { PublishOptions } from './types.ts'

/** Bytes of a frame that every payload limit allows. A larger frame could close the socket. */
const MAX_FRAME = 4096

/** A validated publish call. */
export interface PublishRequest {
  /** Query parameters of the POST. */
  readonly query: [string, unknown][]
  readonly key: string | undefined
  readonly type: string
  readonly body: string | Uint8Array<ArrayBuffer>
  /** JSON members of the publish frame; undefined if it exceeds MAX_FRAME. */
  readonly frame: string | undefined
}

/** @throws TypeError for data that a transport cannot carry */
export function publishRequestOf(
  channel: string,
  data: unknown,
  { key, end }: PublishOptions,
): PublishRequest {
  if (typeof channel !== 'string') throw new TypeError("'channel' must be a string")
  // Longer keys do not fit into a header.
  if (key !== undefined && (typeof key !== 'string' || !/^(?! )[ -~]{1,128}(?<! )$/.test(key)))
    throw Object.assign(new TypeError("'key' must be 1 to 128 printable ASCII characters"), {
      code: 'TIDINGS_ERR_KEY',
    })
  const bytes = bytesOf(data)
  const text = typeof data === 'string'
  // Transports encode a lone surrogate differently.
  const none = end && data === undefined
  const body = bytes ?? (text ? data.replace(/\p{Cs}/gu, '\ufffd') : none ? '' : JSON.stringify(data))
  if (body === undefined) throw new TypeError("'data' must be bytes, a string or JSON")
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

/** Copies binary data; undefined for text and JSON. */
function bytesOf(data: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0))
  if (!ArrayBuffer.isView(data)) return undefined
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).slice()
}
