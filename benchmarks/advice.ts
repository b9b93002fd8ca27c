import * as model from '../model/advice.ts'
import { headersOf } from './profiles.ts'

/** The advice of the model, in words, with the coefficients of a run: pure. */

export type { Need } from '../model/advice.ts'

export interface Coefficients extends model.Coefficients {
  readonly subscribers: number
  readonly rate: number
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

/** As a browser sends them to a server with a name of usual length. */
const AUTHORITY = '127.0.0.1:40000'
const HEADERS: model.RequestHeaders = {
  poll: headersOf('browser', 'poll', AUTHORITY).length,
  longpoll: headersOf('browser', 'longpoll', AUTHORITY).length,
}

/** What of a run's figures is needed. */
interface Results {
  settings: { subscribers: number; rate: number }
  summaries: readonly {
    section: string
    variant: string
    cpu: { total: { value: number } | null; idle: number | null; marginal: number | null }
  }[]
}

export function coefficientsOf({ settings: { subscribers, rate }, summaries }: Results): Coefficients {
  const headline = summaries.filter(({ section, cpu }) => section === 'headline' && cpu.total !== null)
  const known = (figure: (cpu: Results['summaries'][0]['cpu']) => number | null) =>
    new Map(
      headline.flatMap(({ variant, cpu }) => {
        const value = figure(cpu)
        return value === null ? [] : [[variant, value] as const]
      }),
    )
  const idle = known((cpu) => cpu.idle)
  const marginal = known((cpu) => cpu.marginal)
  // Of the measured intervals the shortest: what a process does by itself is the least part there.
  const fastest = idle.get('poll 100 ms')
  const polls = [...marginal].filter(([name]) => name.startsWith('poll'))
  const mean = polls.reduce((sum, [, value]) => sum + value, 0) / polls.length
  for (const interval of model.INTERVALS) {
    const name = model.pollName(interval)
    if (polls.length > 0 && !marginal.has(name)) marginal.set(name, mean)
  }
  return {
    subscribers,
    rate,
    perDelivery: known((cpu) => cpu.total!.value),
    idle,
    marginal,
    perRequest: fastest === undefined ? undefined : fastest / 10,
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
