import { bytesOf, coresOf, nameOf, p99Of, priceOf, radioOf, type TransportConfig } from './costs.ts'
import type { Coefficients, Cost } from './cpu.ts'
import { type Exclusion, eligibleTransports, type LimitingFactor, limitingFactorOf } from './eligibility.ts'
import { memoryOf } from './memory.ts'
import type { Prices, RequestHeaders, Requirements, Transport } from './requirements.ts'

/** Ranks the transports that meet the requirements by cost, and finds the rates at which the ranking changes. */

export interface Candidate {
  readonly way: Transport
  /** The transport's name, with the interval for polling. */
  readonly name: string
  readonly p99: number
  /** Bytes per message including TCP/IP headers: in both directions, and from the server. */
  readonly bytes: number
  readonly down: number
  readonly cores: number | null
  /** Price per month of egress and CPU. Null without prices or CPU figures. */
  readonly price: number | null
  /** The share of time in which a phone's radio is on. */
  readonly radio: number
  /** Bytes of the server's memory for all idle subscribers. Null if not measured. */
  readonly memory: number | null
  readonly binding: LimitingFactor
  /** The nearest rate at which it swaps ranks with the row above (the first: with the row below). Null: none nearby. */
  readonly change: { readonly other: string; readonly rate: number } | null
  /** Whether it ties with the row above. */
  readonly tie: boolean
}

/** Figures within this relative difference tie. */
export const TIE = 0.05

/**
 * Ranks the transports that fit, cheapest first, and lists the others.
 * @param prices rank by price if the CPU of all candidates is known. Otherwise rank by bytes
 */
export function rank(
  need: Requirements,
  headers: RequestHeaders,
  coefficients?: Coefficients,
  prices?: Prices,
): { candidates: Candidate[]; refused: Exclusion[] } {
  const { fits, refused } = eligibleTransports(need)
  const priced = prices !== undefined && fits.every((choice) => coresOf(choice, need, coefficients) !== null)
  const intervalAt = (choice: TransportConfig, at: Requirements): Cost => {
    if (priced) return priceOf(choice, at, headers, coefficients, prices)!
    const value = bytesOf(choice, at, headers).both
    return { value, low: null, high: null }
  }
  const costAt = (choice: TransportConfig, at: Requirements) => intervalAt(choice, at).value
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
      memory: memoryOf(choice.way, need.subscribers),
      binding: limitingFactorOf(choice, need),
      change: other === undefined ? null : breakEvenOf(choice, other, need, costAt),
      tie: above !== undefined && isTie(above.cost, cost),
    }
  })
  return { candidates, refused }
}

/** Whether two costs tie: their intervals overlap, or they lie close to each other. The second is not lower. */
function isTie(first: Cost, second: Cost): boolean {
  const overlap = first.high !== null && second.low !== null && second.low <= first.high
  return overlap || second.value <= first.value * (1 + TIE)
}

/** Returns the cheapest transport as in `rank`, or undefined if none fits. */
export function cheapest(
  need: Requirements,
  headers: RequestHeaders,
  coefficients?: Coefficients,
  prices?: Prices,
): Transport | undefined {
  const { fits } = eligibleTransports(need)
  const priced = fits.map((choice) => priceOf(choice, need, headers, coefficients, prices))
  const costs = priced.includes(null)
    ? fits.map((choice) => bytesOf(choice, need, headers).both)
    : priced.map((price) => price!.value)
  return fits[costs.indexOf(Math.min(...costs))]?.way
}

/** Factors of the current rate to search for a change, up to four powers of ten in both directions, nearest first. */
const STEPS = Array.from({ length: 160 }, (_, i) => 10 ** ((i + 1) / 40))

/** Returns the nearest rate at which two transports swap ranks. */
function breakEvenOf(
  choice: TransportConfig,
  other: TransportConfig,
  need: Requirements,
  costAt: (choice: TransportConfig, at: Requirements) => number,
): Candidate['change'] {
  const lower = (rate: number) => costAt(choice, { ...need, rate }) < costAt(other, { ...need, rate })
  const now = lower(need.rate)
  const rate = STEPS.flatMap((step) => [need.rate * step, need.rate / step]).find((at) => lower(at) !== now)
  return rate === undefined ? null : { other: nameOf(other), rate }
}

/** A rate at which another transport becomes cheapest. */
export interface BreakEven {
  readonly name: string
  readonly rate: number
}

/**
 * Returns the nearest rates above and below at which the first transport changes and does not tie. Null: none within
 * four powers of ten.
 */
export function breakEvensOf(
  need: Requirements,
  headers: RequestHeaders,
): { above: BreakEven | null; below: BreakEven | null } {
  const costsAt = (rate: number) => {
    const at = { ...need, rate }
    const costs = eligibleTransports(at).fits.map((choice) => ({
      name: nameOf(choice),
      both: bytesOf(choice, at, headers).both,
    }))
    return costs.sort((a, b) => a.both - b.both)
  }
  const now = costsAt(need.rate)[0]?.name
  const turn = (rates: readonly number[]): BreakEven | null => {
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
