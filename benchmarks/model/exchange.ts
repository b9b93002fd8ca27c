/**
 * Sizes in bytes of the plugin's HTTP/1.1 exchanges and pushes, with the headers that the plugin, Fastify and Node
 * write.
 */
import {
  envelopeOverhead,
  eventOverhead,
  frameHeader,
  heartbeatBytes,
  SSE_HEARTBEAT,
  WS_HEARTBEAT,
} from './bytes.ts'
import type { ExchangeBytes } from './poll.ts'
import type { Transport } from './requirements.ts'

/** Sizes of a message and its requests. */
export interface MessageSizes {
  /** Bytes of a payload, a string that needs no escapes. */
  readonly payload: number
  /** Characters of the channel name. */
  readonly channel: number
  /** Value of the `wait` parameter in seconds. */
  readonly wait: number
  /** Bytes of the request's header lines, including `Host` and line ends. */
  readonly headers: number
}

/** Characters of a cursor: an epoch of eight, a dot, and two digits. */
const CURSOR = 11
/** Characters of the client's cache buster, from `Math.random()`: two characters and 16 digits. */
export const CACHE_BUSTER = 18
const DATE = 'Date: Sat, 21 Nov 2026 10:14:24 GMT\r\n'
/** Fastify's keep-alive timeout is 72 s. */
const CONNECTION = 'Connection: keep-alive\r\nKeep-Alive: timeout=72\r\n'
const COMMON = `cache-control: no-store\r\n${DATE}${CONNECTION}\r\n`

/** Returns bytes of an exchange in both directions; `request` is the request alone. */
export function exchangeOf(
  kind: 'poll' | 'longpoll',
  shape: MessageSizes,
): ExchangeBytes & { readonly request: number } {
  const { channel, wait, headers } = shape
  const query =
    `channel=&cursor=${kind === 'longpoll' ? `&wait=${wait}` : ''}&_=`.length +
    channel +
    CURSOR +
    CACHE_BUSTER
  const request = `GET /${kind}? HTTP/1.1\r\n\r\n`.length + query + headers
  const tag = kind === 'poll' ? 'etag: W/""\r\n'.length + CURSOR : 0
  const empty = `HTTP/1.1 204 No Content\r\ntidings-cursor: \r\n${COMMON}`.length + CURSOR + tag
  const head =
    `HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 300\r\n${COMMON}`
      .length
  const page = '{"cursor":"","messages":[],"more":false}'.length + CURSOR
  const message = envelopeOf(shape)
  // The first message of a page has no comma.
  return { request, empty: request + empty, full: request + head + tag + page - 1, message: message + 1 }
}

function envelopeOf({ payload, channel }: MessageSizes): number {
  return envelopeOverhead(CURSOR, channel) + payload + 2
}

/**
 * Returns bytes per message on a stream: envelope, framing and a share of the heartbeats.
 * @param rate messages per second
 */
export function pushOf(kind: 'sse' | 'ws', shape: MessageSizes, rate: number): number {
  const envelope = envelopeOf(shape)
  const beat = kind === 'sse' ? SSE_HEARTBEAT : WS_HEARTBEAT
  const around = kind === 'sse' ? eventOverhead(envelope, CURSOR) : frameHeader(envelope)
  return envelope + around + heartbeatBytes(rate, beat.bytes, beat.every)
}

/**
 * Returns bytes of a message that a client sends, and of the answer: two frames on a socket, otherwise a POST and its
 * response.
 */
export function upstreamBytes(
  way: Transport,
  { payload, channel, headers }: MessageSizes,
): { up: number; down: number } {
  const data = payload + 2
  if (way === 'ws') {
    const frame = '{"ref":1,"type":"publish","channel":"","data":}'.length + channel + data
    const answer = '{"type":"published","ref":1,"cursor":""}'.length + CURSOR
    return { up: frameHeader(frame, true) + frame, down: frameHeader(answer) + answer }
  }
  const up =
    `POST /publish?channel= HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ${data}\r\n\r\n`
      .length +
    channel +
    headers +
    data
  const body = '{"cursor":"","channel":"","time":}'.length + CURSOR + channel + 13
  const head = `HTTP/1.1 201 Created\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${body}\r\n${COMMON}`
  return { up, down: head.length + body }
}
