import { intervalOf } from './model/costs.ts'
import type * as cpu from './model/cpu.ts'
import type { ExclusionReason, LimitingFactor } from './model/eligibility.ts'
import * as model from './model/ranking.ts'
import { recommend } from './model/recommendation.ts'
import {
  BROWSER_HEADERS,
  type Prices,
  type RequestHeaders,
  type Requirements,
  type Transport,
} from './model/requirements.ts'

/** Formats the model's advice as text and derives its coefficients from a run. No I/O. */

export type { Requirements } from './model/requirements.ts'

/** Coefficients together with the range in which they were measured. */
export interface Coefficients extends cpu.Coefficients {
  /** The largest number of subscribers measured. */
  readonly subscribers: number
}

export interface CandidateRow extends Omit<model.Candidate, 'binding' | 'change'> {
  readonly binding: string
  /** The rate at which it swaps ranks with its neighbour, as text. */
  readonly changes: string
}

export interface ExclusionRow {
  readonly name: string
  readonly why: string
}

const HEADERS: RequestHeaders = { poll: BROWSER_HEADERS, longpoll: BROWSER_HEADERS }

/** The part of a results file that the coefficients need. */
interface Results {
  readonly hot: readonly { readonly kind: string; readonly subscribers: number; readonly cpu: cpu.Cost }[]
  readonly ceiling: readonly { readonly messages: number; readonly cpuPerRequest: number }[]
}

const PERSISTENT: readonly cpu.PersistentTransport[] = ['longpoll', 'sse', 'ws']

/** Derives the coefficients from the CPU of warmed-up servers. They are empty for a quick run, which does not measure it. */
export function coefficientsOf({ hot, ceiling }: Results): Coefficients {
  const deliveries = PERSISTENT.map((way) => [way, hot.filter(({ kind }) => kind === way)] as const)
  return {
    subscribers: Math.max(0, ...hot.map(({ subscribers }) => subscribers)),
    deliveries: new Map(deliveries.filter(([, points]) => points.length > 0)),
    polls: ceiling.map(({ messages, cpuPerRequest }) => ({
      messages,
      cpu: { value: cpuPerRequest, low: null, high: null },
    })),
  }
}

/** Whether the coefficients cover every transport. */
export function isWhole({ deliveries, polls }: Coefficients): boolean {
  return deliveries.size === PERSISTENT.length && polls.length > 0
}

/** Returns the cheapest transport at default prices over HTTP/2, or undefined if none meets the latency. */
export function cheapestFor(
  need: Pick<Requirements, 'rate' | 'payload' | 'latency' | 'rtt' | 'subscribers'>,
  coefficients: Coefficients | undefined,
): Transport | undefined {
  const one = { http: '2', tabs: 1, back: 0, proxyIdle: Number.POSITIVE_INFINITY, ...need } as const
  return model.cheapest(one, HEADERS, coefficients, PRICES)
}

/** US dollars a month, close to the list prices of a large cloud provider. */
export const PRICES: Prices = { gigabyte: 0.09, core: 25 }

export function adviceFor(
  need: Requirements,
  coefficients?: Coefficients,
  prices: Prices = PRICES,
): { verdict: string; candidates: CandidateRow[]; refused: ExclusionRow[] } {
  const { candidates, refused } = model.rank(need, HEADERS, coefficients, prices)
  return {
    verdict: verdictText(candidates, need),
    candidates: candidates.map(({ binding, change, ...one }) => ({
      ...one,
      binding: bindingText(binding),
      changes: changeText(change, candidates.length),
    })),
    refused: refused.map(({ way, why }) => ({ name: way, why: obstacleText(why) })),
  }
}

/** In the words of the page. */
function verdictText(candidates: readonly model.Candidate[], need: Requirements): string {
  const verdict = recommend(candidates)
  if (verdict === undefined)
    return 'Nothing fits: the acceptable delay is below the one-way delay, or every transport is ruled out.'
  const { best, ties, next } = verdict
  const priced = candidates.every(({ price }) => price !== null)
  const bytes = (one: model.Candidate) => `${figure(one.bytes * need.rate)} B/s`
  const costs = priced ? `${figure(best.price!)} a month` : `${bytes(best)} for each reader`
  const more =
    next === undefined
      ? ''
      : `; ${longName(next.name)}: ${priced ? `${figure(next.price!)} a month` : bytes(next)}`
  const what = priced ? 'is the cheapest' : 'moves the fewest bytes'
  const why = candidates.length === 1 ? 'nothing else fits' : `it ${what} (${costs}${more})`
  const delay = `99 of 100 messages arrive within ${figure(best.p99 * 1e3)} ms, where ${figure(need.latency * 1e3)} ms is acceptable`
  const tie =
    ties.length === 0 ? '' : ` About the same: ${ties.map(({ name }) => longName(name)).join(', ')}.`
  return `Use ${longName(best.name)} here, because ${why} and ${delay}.${tie} ${costText(best)}`
}

/** What it costs a phone and the server. */
function costText({ radio, memory }: model.Candidate): string {
  const phone = `It keeps a phone’s radio on for ${figure(radio * 100)} % of the time`
  return memory === null
    ? `${phone}.`
    : `${phone}, and takes ${figure(memory / 1e6)} MB of the server’s memory.`
}

const LONG = { longpoll: 'Long polling', sse: 'Server-Sent Events', ws: 'WebSocket' }

function longName(name: string): string {
  if (intervalOf(name) !== undefined) return `Short polling every ${name.slice('poll '.length)}`
  return LONG[name as keyof typeof LONG]
}

/** Three digits, without powers of ten. */
function figure(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: value < 1000 ? 3 : 4 })
}

function bindingText(binding: LimitingFactor): string {
  switch (binding.what) {
    case 'interval':
      return `0.99 × ${binding.interval} s + ${binding.oneWay * 1e3} ms`
    case 'requests':
      return 'one request per message'
    case 'connections':
      return `${binding.most} connections per origin`
    case 'streams':
      return `${binding.most} streams`
    case 'second connection':
      return 'a connection beside HTTP/2'
    case 'nothing':
      return 'none'
  }
}

function obstacleText(why: ExclusionReason): string {
  switch (why.what) {
    case 'interval':
      return `0.99 of the interval plus the one-way delay exceeds ${why.budget * 1e3} ms, even at ${why.least * 1e3} ms`
    case 'delay':
      return `its p99 of ${(why.p99 * 1e3).toFixed(0)} ms exceeds the budget`
    case 'proxy':
      return `a proxy closes connections after ${why.idle} s idle, but its heartbeat comes every ${why.beat} s`
    case 'connections':
      return `${why.tabs} pages use all ${why.most} connections that a browser opens to an origin over HTTP/1.1`
    case 'streams':
      return `${why.tabs} pages use all ${why.most} streams of the connection`
  }
}

function changeText(change: model.Candidate['change'], candidates: number): string {
  if (candidates < 2) return '–'
  return change === null ? 'none nearby' : `with ${change.other} at ${Number(change.rate.toPrecision(2))}/s`
}
