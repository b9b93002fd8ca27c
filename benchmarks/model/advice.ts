import { bytesOf, type Choice, coresOf, nameOf, p99Of, priceOf, radioOf } from './choice.ts'
import type { Coefficients, Cost } from './cpu.ts'
import { type Binding, bindingOf, choicesOf, type Refusal } from './fit.ts'
import type { Need, Prices, RequestHeaders, Way } from './need.ts'

/** What each transport that fits costs, the cheapest first, and where that turns round. */

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

/** Figures of the model that lie this near to each other are a tie. */
export const TIE = 0.05

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
