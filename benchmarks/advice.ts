import * as model from '../model/advice.ts'
import type * as cpu from '../model/cpu.ts'

/** The advice of the model, in words, with the coefficients of a run: pure. */

export type { Need } from '../model/advice.ts'

/** With where they were measured. */
export interface Coefficients extends cpu.Coefficients {
  readonly subscribers: number
  /** The least and the most messages a second to each. */
  readonly rates: readonly [number, number]
}

export interface Candidate extends Omit<model.Candidate, 'binding' | 'change'> {
  readonly binding: string
  /** Where the one above it, or below, takes its place. */
  readonly changes: string
}

export interface Refusal {
  readonly name: string
  readonly why: string
}

const HEADERS: model.RequestHeaders = { poll: model.BROWSER_HEADERS, longpoll: model.BROWSER_HEADERS }

/** What of a run's figures is needed. */
interface Results {
  settings: { subscribers: number; rate: number; rtt: number }
  sections: readonly { name: string; rate: number; rtt: number }[]
  summaries: readonly { section: string; variant: string; cpu: { own: { value: number } | null } }[]
}

const HELD: readonly cpu.Held[] = ['longpoll', 'sse', 'ws']

export function coefficientsOf({ settings, sections, summaries }: Results): Coefficients {
  const measured = new Set(summaries.filter(({ cpu }) => cpu.own !== null).map(({ section }) => section))
  const rates = new Map(
    sections
      .filter(({ name, rtt }) => rtt === settings.rtt && measured.has(name))
      .map(({ name, rate }) => [name, rate]),
  )
  const points = (name: string, polls: boolean): cpu.Point[] => {
    const own = summaries.flatMap(({ section, variant, cpu }) => {
      const rate = rates.get(section)
      return variant === name && rate !== undefined && cpu.own !== null ? [{ rate, cpu: cpu.own.value }] : []
    })
    own.sort((a, b) => a.rate - b.rate)
    // Of a run at one rate: a push for nobody costs nothing, a poll for nothing as much as any.
    return own.length === 1 ? [{ rate: 0, cpu: polls ? own[0]!.cpu : 0 }, ...own] : own
  }
  const polls = [...new Set(summaries.map(({ variant }) => variant))].flatMap((name) => {
    const interval = model.intervalOf(name)
    return interval === undefined ? [] : [[interval, points(name, true)] as const]
  })
  const known = <T>(entries: readonly (readonly [T, cpu.Point[]])[]) =>
    new Map(entries.filter(([, own]) => own.length > 0))
  const all = [...rates.values()]
  return {
    subscribers: settings.subscribers,
    rates: [Math.min(...all), Math.max(...all)],
    held: known(HELD.map((way) => [way, points(way, false)])),
    polls: known(polls),
  }
}

/** What is cheapest for a subscriber at this rate where messages may take so many seconds. */
export function cheapestFor(
  need: Pick<model.Need, 'rate' | 'payload' | 'latency' | 'rtt'>,
  coefficients: Coefficients | undefined,
): model.Way | undefined {
  const one = { subscribers: 1, http: '2', tabs: 1, proxyIdle: Number.POSITIVE_INFINITY, ...need } as const
  return model.cheapest(one, HEADERS, coefficients, PRICES)
}

/** A month's; roughly those of a large cloud. */
export const PRICES: model.Prices = { gigabyte: 0.09, core: 25 }

export function rank(
  need: model.Need,
  coefficients?: Coefficients,
  prices: model.Prices = PRICES,
): { candidates: Candidate[]; refused: Refusal[] } {
  const { candidates, refused } = model.rank(need, HEADERS, coefficients, prices)
  return {
    candidates: candidates.map(({ binding, change, ...one }) => ({
      ...one,
      binding: bindingText(binding),
      changes: changeText(change, candidates.length),
    })),
    refused: refused.map(({ way, why }) => ({ name: way, why: obstacleText(why) })),
  }
}

function bindingText(binding: model.Binding): string {
  switch (binding.what) {
    case 'interval':
      return `0.99 × ${binding.interval} s + ${binding.oneWay * 1e3} ms`
    case 'requests':
      return 'a request a message'
    case 'connections':
      return `${binding.most} connections an origin`
    case 'streams':
      return `${binding.most} streams`
    case 'second connection':
      return 'a connection beside the one of HTTP/2'
    case 'nothing':
      return 'none'
  }
}

function obstacleText(why: model.Obstacle): string {
  switch (why.what) {
    case 'interval':
      return `0.99 of the interval and the way are above ${why.budget * 1e3} ms, even at ${why.least * 1e3} ms`
    case 'delay':
      return `its p99 of ${(why.p99 * 1e3).toFixed(0)} ms is above the budget`
    case 'proxy':
      return `a proxy that cuts after ${why.idle} s idle is quicker than its sign of life each ${why.beat} s`
    case 'connections':
      return `${why.tabs} pages hold all ${why.most} connections that a browser opens to an origin over HTTP/1.1`
    case 'streams':
      return `${why.tabs} pages hold all ${why.most} streams of the connection`
  }
}

function changeText(change: model.Candidate['change'], candidates: number): string {
  if (candidates < 2) return '–'
  return change === null
    ? 'at no rate near'
    : `with ${change.other} at ${Number(change.rate.toPrecision(2))}/s`
}
