/**
 * What the plugin's exchanges and pushes weigh over HTTP/1.1: the header lines are those that the plugin, Fastify and
 * Node write. Bytes.
 */
import { envelopeOverhead, eventOverhead, frameHeader, heartbeatBytes, SSE_BEAT, WS_BEAT } from './bytes.ts'
import type { ExchangeBytes } from './poll.ts'

/** What a message and the requests for it look like. */
export interface Shape {
  /** Bytes of a payload, a string of as many plain characters. */
  readonly payload: number
  /** Characters of the channel's name. */
  readonly channel: number
  /** Seconds that a long poll asks to be held. */
  readonly wait: number
  /** Bytes of a request's header lines, `Host` and their line ends included. */
  readonly headers: number
}

/** A cursor: an epoch of eight, a point, and the digits of a number in the log. */
const CURSOR = 11
/** What makes each request of the client another one, as `Math.random()` has it: two characters and 16 digits. */
export const UNIQUE = 18
const DATE = 'Date: Sat, 21 Nov 2026 10:14:24 GMT\r\n'
/** Node's keep-alive is Fastify's 72 s. */
const CONNECTION = 'Connection: keep-alive\r\nKeep-Alive: timeout=72\r\n'
const COMMON = `cache-control: no-store\r\n${DATE}${CONNECTION}\r\n`

/** An exchange, up and down together; `request` is what goes up. */
export function exchangeOf(
  kind: 'poll' | 'longpoll',
  shape: Shape,
): ExchangeBytes & { readonly request: number } {
  const { channel, wait, headers } = shape
  const query =
    `channel=&cursor=${kind === 'longpoll' ? `&wait=${wait}` : ''}&_=`.length + channel + CURSOR + UNIQUE
  const request = `GET /${kind}? HTTP/1.1\r\n\r\n`.length + query + headers
  const tag = kind === 'poll' ? 'etag: W/""\r\n'.length + CURSOR : 0
  const empty = `HTTP/1.1 204 No Content\r\ntidings-cursor: \r\n${COMMON}`.length + CURSOR + tag
  const head =
    `HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 300\r\n${COMMON}`
      .length
  const page = '{"cursor":"","messages":[],"more":false}'.length + CURSOR
  const message = envelopeOf(shape)
  // The first message of a page has no comma before it.
  return { request, empty: request + empty, full: request + head + tag + page - 1, message: message + 1 }
}

function envelopeOf({ payload, channel }: Shape): number {
  return envelopeOverhead(CURSOR, channel) + payload + 2
}

/**
 * A message on a stream: envelope, what stands around it, and its part of the signs of life.
 * @param rate messages a second
 */
export function pushOf(kind: 'sse' | 'ws', shape: Shape, rate: number): number {
  const envelope = envelopeOf(shape)
  const beat = kind === 'sse' ? SSE_BEAT : WS_BEAT
  const around = kind === 'sse' ? eventOverhead(envelope, CURSOR) : frameHeader(envelope)
  return envelope + around + heartbeatBytes(rate, beat.bytes, beat.every)
}
