import { exchangeHeaders, pushHeaders } from '../model/bytes.ts'
import { longPollEmptyShare, longPollQuantile, longPollRequests } from '../model/longpoll.ts'
import { pollEmptyShare, pollQuantile, pollRequests } from '../model/poll.ts'
import { radioBoth, radioPolled } from '../model/radio.ts'
import { pollVariant, type Variant, variantOf, type Workload } from './plan.ts'
import { bytesAt } from './plots.ts'
import { exchangeBytes, pushBytes } from './residual.ts'
import { TIE } from './statistics.ts'

/** Which transports can do what is asked for, and what each of them costs: pure. */

/** Times in seconds. */
export interface Need {
  readonly subscribers: number
  /** Messages a second to each. */
  readonly rate: number
  readonly payload: number
  /** The delay that 99 of 100 messages may have. */
  readonly latency: number
  readonly rtt: number
  readonly http: '1.1' | '2'
  /** Pages of one browser at once. */
  readonly tabs: number
  readonly proxyIdle: number
}

/** Microseconds of server CPU, by transport, from a run. */
export interface Coefficients {
  readonly subscribers: number
  readonly rate: number
  readonly perDelivery: ReadonlyMap<string, number>
  /** Of a request for nothing, or nearly. */
  readonly perRequest: number | undefined
}

export interface Candidate {
  readonly name: string
  readonly p99: number
  /** A message, TCP/IP headers included: both ways, and what leaves the server. */
  readonly bytes: number
  readonly down: number
  readonly cores: number | null
  /** The share of the time that a phone's radio is on. */
  readonly radio: number
  readonly binding: string
  /** Where the one above it, or below, takes its place. */
  readonly changes: string
  /** With the one above it. */
  readonly tie: boolean
}

export interface Refusal {
  readonly name: string
  readonly why: string
}

/** Connections to one origin that a browser opens over HTTP/1.1, and streams that a server takes over 2, usually. */
const CONNECTIONS = 6
const STREAMS = 100
/** Signs of life of a stream, a socket and a long poll, in seconds. */
const BEATS = { sse: 15, ws: 25, longpoll: 25 }
/** Intervals of polls that are looked at, in seconds. */
const INTERVALS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60]

export function coefficientsOf(results: {
  settings: { subscribers: number; rate: number }
  summaries: readonly {
    section: string
    variant: string
    cpu: { total: { value: number } | null; idle: number | null }
  }[]
}): Coefficients {
  const { subscribers, rate } = results.settings
  const headline = results.summaries.filter(
    ({ section, cpu }) => section === 'headline' && cpu.total !== null,
  )
  const fastest = headline.find(({ variant }) => variant === 'poll 100 ms')
  const idle = fastest?.cpu.idle ?? null
  return {
    subscribers,
    rate,
    perDelivery: new Map(headline.map(({ variant, cpu }) => [variant, cpu.total!.value])),
    perRequest: idle === null ? undefined : idle / 10,
  }
}

export function rank(
  need: Need,
  coefficients?: Coefficients,
): { candidates: Candidate[]; refused: Refusal[] } {
  const refused: Refusal[] = []
  const fits: Variant[] = []
  // The longest interval that keeps the budget is the cheapest one.
  const polls = INTERVALS.map(pollVariant)
  const kept = polls.filter((variant) => p99Of(variant, need) <= need.latency)
  const poll = kept.at(-1)
  if (poll === undefined) {
    refused.push({
      name: 'poll',
      why: `0.99 of the interval and the way are above ${need.latency * 1e3} ms, even at 100 ms`,
    })
  } else fits.push(poll)
  for (const kind of ['longpoll', 'sse', 'ws'] as const) {
    const variant = variantOf(kind)
    const why = refusal(kind, variant, need)
    if (why === undefined) fits.push(variant)
    else refused.push({ name: kind, why })
  }
  const costs = (at: Need) => fits.map((variant) => ({ variant, ...bytesOf(variant, at) }))
  const sorted = costs(need).sort((a, b) => a.both - b.both)
  const candidates = sorted.map(({ variant, both, down }, i): Candidate => {
    const above = sorted[i - 1]
    return {
      name: variant.name,
      p99: p99Of(variant, need),
      bytes: both,
      down,
      cores: coresOf(variant, need, coefficients),
      radio: radioOf(variant, need),
      binding: bindingOf(variant, need),
      changes: changeOf(variant, sorted[i === 0 ? 1 : i - 1]?.variant, need),
      tie: above !== undefined && both / above.both <= 1 + TIE,
    }
  })
  return { candidates, refused }
}

function refusal(kind: 'longpoll' | 'sse' | 'ws', variant: Variant, need: Need): string | undefined {
  const { http, tabs, latency, proxyIdle } = need
  if (p99Of(variant, need) > latency)
    return `its p99 of ${(p99Of(variant, need) * 1e3).toFixed(0)} ms is above the budget`
  if (BEATS[kind] >= proxyIdle)
    return `a proxy that cuts after ${proxyIdle} s idle is quicker than its sign of life each ${BEATS[kind]} s`
  if (kind === 'ws') return undefined
  if (http === '1.1' && tabs >= CONNECTIONS) {
    return `${tabs} pages hold all ${CONNECTIONS} connections that a browser opens to an origin over HTTP/1.1`
  }
  if (http === '2' && tabs >= STREAMS) return `${tabs} pages hold all ${STREAMS} streams of the connection`
  return undefined
}

function p99Of({ kind, interval }: Variant, { rate, rtt }: Need): number {
  const oneWay = rtt / 2
  if (kind === 'poll') return pollQuantile({ rate, oneWay, cycles: [interval] }, 0.99)
  if (kind === 'longpoll') return longPollQuantile({ rate, oneWay, gap: rtt, wait: BEATS.longpoll }, 0.99)
  return oneWay
}

/** Bytes a message, TCP/IP included: both ways, and down. */
function bytesOf(variant: Variant, need: Need): { both: number; down: number } {
  const { rate, rtt } = need
  const workload: Workload = {
    subscribers: 1,
    channels: 'shared',
    rate,
    payload: need.payload,
    wait: BEATS.longpoll,
    session: 600,
    profile: 'browser',
    rtt: 0,
  }
  if (variant.kind === 'sse' || variant.kind === 'ws') {
    const bytes = pushBytes(variant.kind, workload, rate)
    const headers = pushHeaders(bytes)
    return { both: bytes + headers, down: bytes + (headers * 2) / 3 }
  }
  const kind = variant.kind === 'poll' ? 'poll' : 'longpoll'
  const { request, full, empty, message } = exchangeBytes(kind, workload)
  const polling = { rate, oneWay: 0, cycles: [variant.interval] }
  const holding = { rate, oneWay: 0, gap: rtt, wait: BEATS.longpoll }
  const requests = kind === 'poll' ? pollRequests(polling, 100) : longPollRequests(holding)
  const share = kind === 'poll' ? pollEmptyShare(polling) : longPollEmptyShare(holding)
  const answer = share * empty + (1 - share) * full - request
  const headers = requests * exchangeHeaders(request, answer + message / Math.max(requests, 1e-9))
  const down = requests * answer + message + (headers * 2) / 3
  return { both: bytesAt(variant, workload) + headers, down }
}

function coresOf(variant: Variant, need: Need, coefficients: Coefficients | undefined): number | null {
  if (coefficients === undefined) return null
  const { subscribers, rate } = need
  if (variant.kind === 'poll' && coefficients.perRequest !== undefined) {
    return (subscribers * coefficients.perRequest) / variant.interval / 1e6
  }
  const spent = coefficients.perDelivery.get(variant.name)
  return spent === undefined ? null : (subscribers * rate * spent) / 1e6
}

function radioOf({ kind, interval }: Variant, { rate }: Need): number {
  if (kind === 'poll') return radioPolled(interval)
  return radioBoth(rate, kind === 'sse' ? BEATS.sse : BEATS.ws)
}

function bindingOf({ kind, interval }: Variant, need: Need): string {
  if (kind === 'poll') return `0.99 × ${interval} s + ${(need.rtt / 2) * 1e3} ms`
  if (kind === 'longpoll') return 'a request a message'
  if (kind === 'sse')
    return need.http === '1.1' ? `${CONNECTIONS} connections an origin` : `${STREAMS} streams`
  return need.http === '2' ? 'a connection beside the one of HTTP/2' : 'none'
}

/** Where a change of the rate would turn two of them round. */
function changeOf(variant: Variant, other: Variant | undefined, need: Need): string {
  if (other === undefined) return '–'
  const lower = (rate: number) =>
    bytesOf(variant, { ...need, rate }).both < bytesOf(other, { ...need, rate }).both
  const now = lower(need.rate)
  for (let step = 1; step <= 160; step++) {
    for (const factor of [10 ** (step / 40), 10 ** (-step / 40)]) {
      if (lower(need.rate * factor) !== now) {
        return `with ${other.name} at ${(need.rate * factor).toPrecision(2)}/s`
      }
    }
  }
  return 'at no rate near'
}
