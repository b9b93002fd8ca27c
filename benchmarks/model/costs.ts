import { exchangeHeaders, pushHeaders, SSE_HEARTBEAT, WS_HEARTBEAT } from './bytes.ts'
import { type Coefficients, type Cost, cpuOf } from './cpu.ts'
import { exchangeOf, type MessageSizes, pushOf, upstreamBytes } from './exchange.ts'
import { longPollEmptyShare, longPollQuantile, longPollRequests } from './longpoll.ts'
import { pollEmptyShare, pollQuantile, pollRequests, RESPONSE_LIMIT } from './poll.ts'
import { radioWithHeartbeat } from './radio.ts'
import type { Prices, RequestHeaders, Requirements, Transport } from './requirements.ts'

/** The costs of one transport for given requirements. */

/** Seconds that the server holds a long poll. */
const WAIT = 25

/** Characters of the channel name. */
const CHANNEL = 7

/** Heartbeat intervals in seconds. */
export const HEARTBEATS = { sse: SSE_HEARTBEAT.every, ws: WS_HEARTBEAT.every, longpoll: WAIT }

/** A transport. `interval` applies to polling only, in seconds. */
export interface TransportConfig {
  readonly way: Transport
  readonly interval: number
}

export function pollName(interval: number): string {
  return interval < 1 ? `poll ${Math.round(interval * 1000)} ms` : `poll ${interval} s`
}

/** Returns the interval of a polling transport's name in seconds. Undefined for other names. */
export function intervalOf(name: string): number | undefined {
  const [, count, unit] = /^poll ([\d.]+) (ms|s)$/.exec(name) ?? []
  return count === undefined ? undefined : Number(count) / (unit === 'ms' ? 1e3 : 1)
}

export function nameOf({ way, interval }: TransportConfig): string {
  return way === 'poll' ? pollName(interval) : way
}

/** Seconds in a month of 30 days. */
const MONTH = 30 * 24 * 3600

export function p99Of({ way, interval }: TransportConfig, { rate, rtt }: Requirements): number {
  const oneWay = rtt / 2
  if (way === 'poll') return pollQuantile({ rate, oneWay, cycles: [interval] }, 0.99)
  if (way === 'longpoll') return longPollQuantile({ rate, oneWay, gap: rtt, wait: WAIT }, 0.99)
  return oneWay
}

/**
 * Returns bytes per message including TCP/IP: in both directions, and from the server. What subscribers send is spread
 * over the messages that they receive.
 */
export function bytesOf(
  choice: TransportConfig,
  need: Requirements,
  headers: RequestHeaders,
): { both: number; down: number } {
  const { both, down } = receivedOf(choice, need, headers)
  const { payload, rate, back } = need
  if (back === 0) return { both, down }
  const shape = { payload, channel: CHANNEL, wait: WAIT, headers: headers.poll }
  const sent = upstreamBytes(choice.way, shape)
  const tcp = exchangeHeaders(sent.up, sent.down)
  const share = back / rate
  return { both: both + share * (sent.up + sent.down + tcp), down: down + share * (sent.down + tcp / 2) }
}

function receivedOf(
  choice: TransportConfig,
  need: Requirements,
  headers: RequestHeaders,
): { both: number; down: number } {
  const { way, interval } = choice
  const { rate, rtt, payload } = need
  const shape: Omit<MessageSizes, 'headers'> = { payload, channel: CHANNEL, wait: WAIT }
  if (way === 'sse' || way === 'ws') {
    const bytes = pushOf(way, { ...shape, headers: 0 }, rate)
    const tcp = pushHeaders(bytes)
    return { both: bytes + tcp, down: bytes + (tcp * 2) / 3 }
  }
  const { request, full, empty, message } = exchangeOf(way, { ...shape, headers: headers[way] })
  const polling = { rate, oneWay: 0, cycles: [interval] }
  const holding = { rate, oneWay: 0, gap: rtt, wait: WAIT }
  const requests =
    way === 'poll'
      ? pollRequests(polling, RESPONSE_LIMIT)
      : Math.max(longPollRequests(holding), 1 / RESPONSE_LIMIT)
  const share = way === 'poll' ? pollEmptyShare(polling) : longPollEmptyShare(holding)
  const answer = share * empty + (1 - share) * full - request
  const tcp = requests * exchangeHeaders(request, answer + message / requests)
  const down = requests * answer + message
  return { both: requests * request + down + tcp, down: down + (tcp * 2) / 3 }
}

/** Returns microseconds of CPU per subscriber and second. Undefined if not measured. */
export function cpuFor(
  { way, interval }: TransportConfig,
  { rate, subscribers, rtt }: Pick<Requirements, 'rate' | 'subscribers' | 'rtt'>,
  coefficients: Coefficients | undefined,
): Cost | undefined {
  const beat = way === 'poll' ? interval : HEARTBEATS[way]
  return (
    coefficients &&
    cpuOf({ way, interval, rate, subscribers, rtt, beat, limit: RESPONSE_LIMIT }, coefficients)
  )
}

/** Returns the cores for all subscribers. Null if not measured. */
export function coresOf(
  choice: TransportConfig,
  need: Requirements,
  coefficients: Coefficients | undefined,
): Cost | null {
  const { subscribers } = need
  const each = cpuFor(choice, need, coefficients)
  return each === undefined ? null : mapped(each, (cpu) => (subscribers * cpu) / 1e6)
}

function mapped({ value, low, high }: Cost, of: (one: number) => number): Cost {
  return { value: of(value), low: low === null ? null : of(low), high: high === null ? null : of(high) }
}

/** Returns the price per month for all subscribers. Null without prices or CPU figures. */
export function priceOf(
  choice: TransportConfig,
  need: Requirements,
  headers: RequestHeaders,
  coefficients: Coefficients | undefined,
  prices: Prices | undefined,
): Cost | null {
  const cores = coresOf(choice, need, coefficients)
  if (cores === null || prices === undefined) return null
  const { down } = bytesOf(choice, need, headers)
  const traffic = ((need.subscribers * need.rate * down * MONTH) / 1e9) * prices.gigabyte
  return mapped(cores, (one) => traffic + one * prices.core)
}

/** A client's own messages turn the radio on as those of the server do. */
export function radioOf({ way, interval }: TransportConfig, { rate, back }: Requirements): number {
  if (way === 'poll') return radioWithHeartbeat(back, interval)
  return radioWithHeartbeat(rate + back, way === 'sse' ? HEARTBEATS.sse : HEARTBEATS.ws)
}
