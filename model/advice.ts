/** Which transports can do what is asked for, what each of them costs, and where that turns round. */
import { exchangeHeaders, pushHeaders, SSE_BEAT, WS_BEAT } from './bytes.ts'
import { type Coefficients, type Cost, cpuOf } from './cpu.ts'
import { exchangeOf, pushOf, type Shape } from './exchange.ts'
import { longPollEmptyShare, longPollQuantile, longPollRequests } from './longpoll.ts'
import { pollEmptyShare, pollQuantile, pollRequests } from './poll.ts'
import { radioBoth, radioPolled } from './radio.ts'

export type Way = 'poll' | 'longpoll' | 'sse' | 'ws'

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
  /** After which a proxy on the way cuts an idle connection. */
  readonly proxyIdle: number
}

/** Of a month, in any currency. */
export interface Prices {
  /** A gigabyte that leaves the server. */
  readonly gigabyte: number
  /** A core that is busy all the time. */
  readonly core: number
}

/** Bytes of the header lines that a client sends with a request of each kind. */
export type RequestHeaders = Readonly<Record<'poll' | 'longpoll', number>>

/** What is assumed where nothing else is said: of the command and of the page alike. */
export const USUAL: Need = {
  subscribers: 1000,
  rate: 0.1,
  payload: 200,
  latency: 0.5,
  rtt: 0.04,
  http: '1.1',
  tabs: 1,
  proxyIdle: 60,
}

/** Bytes of the header lines that Chromium sends with a poll to a server with a name of usual length. */
export const BROWSER_HEADERS = 512

/** What holds a transport back, though it fits. */
export type Binding =
  | { readonly what: 'interval'; readonly interval: number; readonly oneWay: number }
  | { readonly what: 'requests' }
  | { readonly what: 'connections'; readonly most: number }
  | { readonly what: 'streams'; readonly most: number }
  | { readonly what: 'second connection' }
  | { readonly what: 'nothing' }

/** Why a transport does not fit. */
export type Obstacle =
  /** Even the shortest interval is too long. */
  | { readonly what: 'interval'; readonly least: number; readonly budget: number }
  | { readonly what: 'delay'; readonly p99: number; readonly budget: number }
  | { readonly what: 'proxy'; readonly idle: number; readonly beat: number }
  | { readonly what: 'connections'; readonly tabs: number; readonly most: number }
  | { readonly what: 'streams'; readonly tabs: number; readonly most: number }

export interface Candidate {
  readonly way: Way
  /** With its interval, where it polls. */
  readonly name: string
  readonly p99: number
  /** A message, TCP/IP headers included: both ways, and what leaves the server. */
  readonly bytes: number
  readonly down: number
  readonly cores: number | null
  /** Of a month: what leaves the server, and its CPU. Null: no prices, or the CPU is not known. */
  readonly price: number | null
  /** The share of the time that a phone's radio is on. */
  readonly radio: number
  readonly binding: Binding
  /** The rate at which it and the one above it, or below the first, change places. Null: none near. */
  readonly change: { readonly other: string; readonly rate: number } | null
  /** With the one above it. */
  readonly tie: boolean
}

export interface Refusal {
  readonly way: Way
  readonly why: Obstacle
}

/** Connections to one origin that a browser opens over HTTP/1.1, and streams that a server takes over 2, usually. */
const CONNECTIONS = 6
const STREAMS = 100
/** Seconds that a long poll is held. */
const WAIT = 25
/** Characters of a channel's name. */
const CHANNEL = 7
/** Signs of life, in seconds. */
const BEATS = { sse: SSE_BEAT.every, ws: WS_BEAT.every, longpoll: WAIT }
/** Intervals of polls that are looked at, in seconds. */
export const INTERVALS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60]
/** Messages in one answer to a poll, at most. */
const LIMIT = 100
/** Figures of the model that lie this near to each other are a tie. */
export const TIE = 0.05

/** A way of reading; `interval` is of polls alone. */
interface Choice {
  readonly way: Way
  readonly interval: number
}

export function pollName(interval: number): string {
  return interval < 1 ? `poll ${Math.round(interval * 1000)} ms` : `poll ${interval} s`
}

/** The interval of a poll of this name, in seconds; undefined: it is another's. */
export function intervalOf(name: string): number | undefined {
  const [, count, unit] = /^poll ([\d.]+) (ms|s)$/.exec(name) ?? []
  return count === undefined ? undefined : Number(count) / (unit === 'ms' ? 1e3 : 1)
}

function nameOf({ way, interval }: Choice): string {
  return way === 'poll' ? pollName(interval) : way
}

/** What a month has of seconds. */
const MONTH = 30 * 24 * 3600

/**
 * The transports that fit, the cheapest first, and those that don't.
 * @param prices with them, and the CPU of all that fit, the cheapest is the lowest price; else the fewest bytes
 */
export function rank(
  need: Need,
  headers: RequestHeaders,
  coefficients?: Coefficients,
  prices?: Prices,
): { candidates: Candidate[]; refused: Refusal[] } {
  const { fits, refused } = choicesOf(need)
  const priced = prices !== undefined && fits.every((choice) => coresOf(choice, need, coefficients) !== null)
  const intervalAt = (choice: Choice, at: Need): Cost => {
    if (priced) return priceOf(choice, at, headers, coefficients, prices)!
    const value = bytesOf(choice, at, headers).both
    return { value, low: null, high: null }
  }
  const costAt = (choice: Choice, at: Need) => intervalAt(choice, at).value
  const sorted = fits
    .map((choice) => ({ choice, cost: intervalAt(choice, need), ...bytesOf(choice, need, headers) }))
    .sort((a, b) => a.cost.value - b.cost.value)
  const candidates = sorted.map(({ choice, cost, both, down }, i): Candidate => {
    const above = sorted[i - 1]
    const other = sorted[i === 0 ? 1 : i - 1]?.choice
    return {
      way: choice.way,
      name: nameOf(choice),
      p99: p99Of(choice, need),
      bytes: both,
      down,
      cores: coresOf(choice, need, coefficients)?.value ?? null,
      price: priceOf(choice, need, headers, coefficients, prices)?.value ?? null,
      radio: radioOf(choice, need),
      binding: bindingOf(choice, need),
      change: other === undefined ? null : changeOf(choice, other, need, costAt),
      tie: above !== undefined && isTie(above.cost, cost),
    }
  })
  return { candidates, refused }
}

/** Whether the second can't be told from the first, which is no dearer: their intervals overlap, or they lie near. */
function isTie(first: Cost, second: Cost): boolean {
  const overlap = first.high !== null && second.low !== null && second.low <= first.high
  return overlap || second.value <= first.value * (1 + TIE)
}

/** What fits, and what does not. */
function choicesOf(need: Need): { fits: Choice[]; refused: Refusal[] } {
  const refused: Refusal[] = []
  const fits: Choice[] = []
  // The longest interval that keeps the budget is the cheapest one.
  const kept = INTERVALS.filter((interval) => p99Of({ way: 'poll', interval }, need) <= need.latency)
  if (kept.length > 0) fits.push({ way: 'poll', interval: kept.at(-1)! })
  else refused.push({ way: 'poll', why: { what: 'interval', least: INTERVALS[0]!, budget: need.latency } })
  for (const way of ['longpoll', 'sse', 'ws'] as const) {
    const why = obstacleOf(way, need)
    if (why === undefined) fits.push({ way, interval: 0 })
    else refused.push({ way, why })
  }
  return { fits, refused }
}

function obstacleOf(way: 'longpoll' | 'sse' | 'ws', need: Need): Obstacle | undefined {
  const { http, tabs, latency, proxyIdle } = need
  const p99 = p99Of({ way, interval: 0 }, need)
  if (p99 > latency) return { what: 'delay', p99, budget: latency }
  if (BEATS[way] >= proxyIdle) return { what: 'proxy', idle: proxyIdle, beat: BEATS[way] }
  if (way === 'ws') return undefined
  if (http === '1.1' && tabs >= CONNECTIONS) return { what: 'connections', tabs, most: CONNECTIONS }
  if (http === '2' && tabs >= STREAMS) return { what: 'streams', tabs, most: STREAMS }
  return undefined
}

function p99Of({ way, interval }: Choice, { rate, rtt }: Need): number {
  const oneWay = rtt / 2
  if (way === 'poll') return pollQuantile({ rate, oneWay, cycles: [interval] }, 0.99)
  if (way === 'longpoll') return longPollQuantile({ rate, oneWay, gap: rtt, wait: WAIT }, 0.99)
  return oneWay
}

/** Bytes a message, TCP/IP included: both ways, and down. */
function bytesOf(choice: Choice, need: Need, headers: RequestHeaders): { both: number; down: number } {
  const { way, interval } = choice
  const { rate, rtt, payload } = need
  const shape: Omit<Shape, 'headers'> = { payload, channel: CHANNEL, wait: WAIT }
  if (way === 'sse' || way === 'ws') {
    const bytes = pushOf(way, { ...shape, headers: 0 }, rate)
    const tcp = pushHeaders(bytes)
    return { both: bytes + tcp, down: bytes + (tcp * 2) / 3 }
  }
  const { request, full, empty, message } = exchangeOf(way, { ...shape, headers: headers[way] })
  const polling = { rate, oneWay: 0, cycles: [interval] }
  const holding = { rate, oneWay: 0, gap: rtt, wait: WAIT }
  const requests =
    way === 'poll' ? pollRequests(polling, LIMIT) : Math.max(longPollRequests(holding), 1 / LIMIT)
  const share = way === 'poll' ? pollEmptyShare(polling) : longPollEmptyShare(holding)
  const answer = share * empty + (1 - share) * full - request
  const tcp = requests * exchangeHeaders(request, answer + message / requests)
  const down = requests * answer + message
  return { both: requests * request + down + tcp, down: down + (tcp * 2) / 3 }
}

/** Microseconds of CPU of a subscriber and second. Undefined where no run tells. */
export function cpuFor(
  { way, interval }: Choice,
  { rate, subscribers, rtt }: Pick<Need, 'rate' | 'subscribers' | 'rtt'>,
  coefficients: Coefficients | undefined,
): Cost | undefined {
  const beat = way === 'poll' ? interval : BEATS[way]
  return coefficients && cpuOf({ way, interval, rate, subscribers, rtt, beat, limit: LIMIT }, coefficients)
}

/** Of all subscribers. Null where no run tells. */
function coresOf(choice: Choice, need: Need, coefficients: Coefficients | undefined): Cost | null {
  const { subscribers } = need
  const each = cpuFor(choice, need, coefficients)
  return each === undefined ? null : mapped(each, (cpu) => (subscribers * cpu) / 1e6)
}

function mapped({ value, low, high }: Cost, of: (one: number) => number): Cost {
  return { value: of(value), low: low === null ? null : of(low), high: high === null ? null : of(high) }
}

/** Of a month, for all subscribers. */
function priceOf(
  choice: Choice,
  need: Need,
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

/** The cheapest that fits, as in `rank`. Undefined: none fits. */
export function cheapest(
  need: Need,
  headers: RequestHeaders,
  coefficients?: Coefficients,
  prices?: Prices,
): Way | undefined {
  const { fits } = choicesOf(need)
  const priced = fits.map((choice) => priceOf(choice, need, headers, coefficients, prices))
  const costs = priced.includes(null)
    ? fits.map((choice) => bytesOf(choice, need, headers).both)
    : priced.map((price) => price!.value)
  return fits[costs.indexOf(Math.min(...costs))]?.way
}

function radioOf({ way, interval }: Choice, { rate }: Need): number {
  if (way === 'poll') return radioPolled(interval)
  return radioBoth(rate, way === 'sse' ? BEATS.sse : BEATS.ws)
}

function bindingOf({ way, interval }: Choice, { rtt, http }: Need): Binding {
  if (way === 'poll') return { what: 'interval', interval, oneWay: rtt / 2 }
  if (way === 'longpoll') return { what: 'requests' }
  if (way === 'sse') {
    return http === '1.1' ? { what: 'connections', most: CONNECTIONS } : { what: 'streams', most: STREAMS }
  }
  return http === '2' ? { what: 'second connection' } : { what: 'nothing' }
}

/** Rates that are looked at, in parts of the one that is asked for: to four powers of ten both ways, nearest first. */
const STEPS = Array.from({ length: 160 }, (_, i) => 10 ** ((i + 1) / 40))

/** The rate nearest to this one at which two of them change places. */
function changeOf(
  choice: Choice,
  other: Choice,
  need: Need,
  costAt: (choice: Choice, at: Need) => number,
): Candidate['change'] {
  const lower = (rate: number) => costAt(choice, { ...need, rate }) < costAt(other, { ...need, rate })
  const now = lower(need.rate)
  const rate = STEPS.flatMap((step) => [need.rate * step, need.rate / step]).find((at) => lower(at) !== now)
  return rate === undefined ? null : { other: nameOf(other), rate }
}

/** Where another transport comes first: a rate, and its name. */
export interface Turn {
  readonly name: string
  readonly rate: number
}

/**
 * The nearest rates, above and below, at which the advice is another one: what is first here is not there, and no tie
 * with what is. Null: none within four powers of ten.
 */
export function turnsOf(need: Need, headers: RequestHeaders): { above: Turn | null; below: Turn | null } {
  const costsAt = (rate: number) => {
    const at = { ...need, rate }
    const costs = choicesOf(at).fits.map((choice) => ({
      name: nameOf(choice),
      both: bytesOf(choice, at, headers).both,
    }))
    return costs.sort((a, b) => a.both - b.both)
  }
  const now = costsAt(need.rate)[0]?.name
  const turn = (rates: readonly number[]): Turn | null => {
    for (const rate of rates) {
      const costs = costsAt(rate)
      const first = costs[0]
      if (first === undefined) continue
      const own = costs.find(({ name }) => name === now)
      if (own === undefined || own.both > first.both * (1 + TIE)) return { name: first.name, rate }
    }
    return null
  }
  return {
    above: turn(STEPS.map((step) => need.rate * step)),
    below: turn(STEPS.map((step) => need.rate / step)),
  }
}
