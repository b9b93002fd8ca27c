import { HEARTBEATS, p99Of, type TransportConfig } from './costs.ts'
import type { Requirements, Transport } from './requirements.ts'

/** Decides which transports meet the requirements, and why the others do not. */

/** The limiting factor of a transport that fits. */
export type LimitingFactor =
  | { readonly what: 'interval'; readonly interval: number; readonly oneWay: number }
  | { readonly what: 'requests' }
  | { readonly what: 'connections'; readonly most: number }
  | { readonly what: 'streams'; readonly most: number }
  | { readonly what: 'second connection' }
  | { readonly what: 'nothing' }

/** The reason why a transport does not fit. */
export type ExclusionReason =
  /** Even the shortest interval exceeds the budget. */
  | { readonly what: 'interval'; readonly least: number; readonly budget: number }
  | { readonly what: 'delay'; readonly p99: number; readonly budget: number }
  | { readonly what: 'proxy'; readonly idle: number; readonly beat: number }
  | { readonly what: 'connections'; readonly tabs: number; readonly most: number }
  | { readonly what: 'streams'; readonly tabs: number; readonly most: number }

export interface Exclusion {
  readonly way: Transport
  readonly why: ExclusionReason
}

/** Usual limits: connections per origin in browsers over HTTP/1.1, and streams per connection on HTTP/2 servers. */
const CONNECTIONS = 6

const STREAMS = 100

/** Candidate polling intervals in seconds. */
export const INTERVALS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60]

/** Splits the transports into those that fit and those that don't. */
export function eligibleTransports(need: Requirements): { fits: TransportConfig[]; refused: Exclusion[] } {
  const refused: Exclusion[] = []
  const fits: TransportConfig[] = []
  // The longest interval within the budget is the cheapest.
  const kept = INTERVALS.filter((interval) => p99Of({ way: 'poll', interval }, need) <= need.latency)
  if (kept.length > 0) fits.push({ way: 'poll', interval: kept.at(-1)! })
  else refused.push({ way: 'poll', why: { what: 'interval', least: INTERVALS[0]!, budget: need.latency } })
  for (const way of ['longpoll', 'sse', 'ws'] as const) {
    const why = exclusionReasonOf(way, need)
    if (why === undefined) fits.push({ way, interval: 0 })
    else refused.push({ way, why })
  }
  return { fits, refused }
}

function exclusionReasonOf(way: 'longpoll' | 'sse' | 'ws', need: Requirements): ExclusionReason | undefined {
  const { http, tabs, latency, proxyIdle } = need
  const p99 = p99Of({ way, interval: 0 }, need)
  if (p99 > latency) return { what: 'delay', p99, budget: latency }
  if (HEARTBEATS[way] >= proxyIdle) return { what: 'proxy', idle: proxyIdle, beat: HEARTBEATS[way] }
  if (way === 'ws') return undefined
  if (http === '1.1' && tabs >= CONNECTIONS) return { what: 'connections', tabs, most: CONNECTIONS }
  if (http === '2' && tabs >= STREAMS) return { what: 'streams', tabs, most: STREAMS }
  return undefined
}

export function limitingFactorOf(
  { way, interval }: TransportConfig,
  { rtt, http }: Requirements,
): LimitingFactor {
  if (way === 'poll') return { what: 'interval', interval, oneWay: rtt / 2 }
  if (way === 'longpoll') return { what: 'requests' }
  if (way === 'sse') {
    return http === '1.1' ? { what: 'connections', most: CONNECTIONS } : { what: 'streams', most: STREAMS }
  }
  return http === '2' ? { what: 'second connection' } : { what: 'nothing' }
}
