import { longPollRequests } from './longpoll.ts'
import { pollRequests } from './poll.ts'

/**
 * CPU cost of subscribers, from the measured cost of a delivery and a request on a hot, busy server. An idle server
 * pays more for each, because it has to wake up.
 */

/** Microseconds of CPU with a 95 % interval, if known. */
export interface Cost {
  readonly value: number
  readonly low: number | null
  readonly high: number | null
}

/** Transports that hold a connection. */
export type PersistentTransport = 'longpoll' | 'sse' | 'ws'

/** Costs measured on one machine. */
export interface Coefficients {
  /** Cost of a delivery by subscribers per message, ascending. For a long poll, this includes the request. */
  readonly deliveries: ReadonlyMap<
    PersistentTransport,
    readonly { readonly subscribers: number; readonly cpu: Cost }[]
  >
  /** Cost of a poll by messages per response, ascending. */
  readonly polls: readonly { readonly messages: number; readonly cpu: Cost }[]
}

export interface CpuInput {
  readonly way: 'poll' | PersistentTransport
  /** Seconds; for polling only. */
  readonly interval: number
  /** Messages per second to each subscriber. */
  readonly rate: number
  readonly subscribers: number
  /** Round trip in seconds. */
  readonly rtt: number
  /** Seconds between heartbeats, or the time that a long poll is held. */
  readonly beat: number
  /** Maximum messages per response. */
  readonly limit: number
}

/**
 * Returns microseconds per second and subscriber. A heartbeat costs as much as a delivery. Costs are interpolated
 * linearly over the logarithm of the subscribers, and constant outside the measured range.
 * @returns undefined if not measured
 */
export function cpuOf(input: CpuInput, { deliveries, polls }: Coefficients): Cost | undefined {
  const { way, interval, rate, subscribers, rtt, beat, limit } = input
  if (way === 'poll') {
    if (polls.length === 0) return undefined
    const requests =
      rate > 0 ? rate * pollRequests({ rate, oneWay: 0, cycles: [interval] }, limit) : 1 / interval
    const points = polls.map(({ messages, cpu }) => [messages, cpu] as const)
    return times(requests, at(rate / requests, points))
  }
  const points = deliveries.get(way)?.map((point) => [Math.log(point.subscribers), point.cpu] as const)
  if (points === undefined || points.length === 0) return undefined
  const each = at(Math.log(subscribers), points)
  if (way !== 'longpoll') return times(rate + 1 / beat, each)
  const requests =
    rate > 0
      ? rate * Math.max(longPollRequests({ rate, oneWay: 0, gap: rtt, wait: beat }), 1 / limit)
      : 1 / beat
  return times(requests, each)
}

function times(count: number, { value, low, high }: Cost): Cost {
  return { value: count * value, low: low && count * low, high: high && count * high }
}

/** Interpolates linearly between the neighbouring points. Constant outside the range. */
function at(x: number, points: readonly (readonly [x: number, cost: Cost])[]): Cost {
  const behind = points.findIndex((point) => point[0] >= x)
  if (behind === 0) return points[0]![1]
  if (behind === -1) return points.at(-1)![1]
  const [[x0, one], [x1, two]] = [points[behind - 1]!, points[behind]!]
  const part = (x - x0) / (x1 - x0)
  const between = (a: number | null, b: number | null) =>
    a === null || b === null ? null : a + part * (b - a)
  return {
    value: one.value + part * (two.value - one.value),
    low: between(one.low, two.low),
    high: between(one.high, two.high),
  }
}
