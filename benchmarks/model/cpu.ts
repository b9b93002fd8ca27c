import { longPollRequests } from './longpoll.ts'
import { pollRequests } from './poll.ts'

/**
 * What subscribers cost a server in CPU, by what a delivery and a request cost it when it is hot and has others to
 * serve: a price is of a server that is busy. One that has little to do pays more for each, since it wakes for it.
 */

/** Microseconds of CPU, and between what they lie in 95 of 100 runs, where that is known. */
export interface Cost {
  readonly value: number
  readonly low: number | null
  readonly high: number | null
}

/** Readers that stay. */
export type Held = 'longpoll' | 'sse' | 'ws'

/** What was measured on some machine. */
export interface Coefficients {
  /** A delivery, by how many subscribers a message goes to, rising; of a long poll with the request that asked for it. */
  readonly held: ReadonlyMap<Held, readonly { readonly subscribers: number; readonly cpu: Cost }[]>
  /** A poll, by how many messages it brings, rising. */
  readonly polls: readonly { readonly messages: number; readonly cpu: Cost }[]
}

export interface Asked {
  readonly way: 'poll' | Held
  /** Seconds; of polls alone. */
  readonly interval: number
  /** Messages a second to each. */
  readonly rate: number
  readonly subscribers: number
  /** Seconds of a round trip. */
  readonly rtt: number
  /** Seconds between two signs of life, and for which a long poll is held. */
  readonly beat: number
  /** Messages in an answer, at most. */
  readonly limit: number
}

/**
 * Microseconds a second of one subscriber. A sign of life costs what a delivery does; between the counts that were
 * measured costs are interpolated over the logarithm of the count, beyond them the nearest goes on.
 * @returns undefined where it was not measured
 */
export function cpuOf(asked: Asked, { held, polls }: Coefficients): Cost | undefined {
  const { way, interval, rate, subscribers, rtt, beat, limit } = asked
  if (way === 'poll') {
    if (polls.length === 0) return undefined
    const requests =
      rate > 0 ? rate * pollRequests({ rate, oneWay: 0, cycles: [interval] }, limit) : 1 / interval
    const points = polls.map(({ messages, cpu }) => [messages, cpu] as const)
    return times(requests, at(rate / requests, points))
  }
  const points = held.get(way)?.map((point) => [Math.log(point.subscribers), point.cpu] as const)
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

/** On the straight line between the points on both sides; before the first and behind the last as that one. */
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
