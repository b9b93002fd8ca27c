/** Means, confidence intervals and verdicts on differences. */

/** A figure over several rounds, with its 95 % confidence interval. The interval is null if there are too few rounds. */
export interface Estimate {
  readonly value: number
  readonly low: number | null
  readonly high: number | null
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}

/** Returns the standard error of the mean; 0 for a single value. */
export function standardErrorOf(values: readonly number[]): number {
  if (values.length < 2) return 0
  const mean = meanOf(values)
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(square / (values.length - 1) / values.length)
}

/**
 * Returns the median with its 95 % confidence interval from order statistics (the sign test), which holds for skewed
 * distributions. It needs six values.
 */
export function medianEstimate(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b)
  const count = sorted.length
  const value = medianOf(values)
  let outside = 0
  let share = 2 * 0.5 ** count
  let cut = -1
  for (let k = 0; outside + share <= 0.05; k++) {
    outside += share
    share = (share * (count - k)) / (k + 1)
    cut = k
  }
  if (cut === -1) return { value, low: null, high: null }
  return { value, low: sorted[cut]!, high: sorted[count - 1 - cut]! }
}

export type Verdict = 'lower' | 'higher' | 'tie' | 'not distinguished'

const VERDICT_TEXTS: Readonly<Record<Verdict, string>> = {
  lower: 'lower',
  higher: 'higher',
  tie: 'equivalent',
  'not distinguished': 'no significant difference',
}

/** Returns the verdict in words. The results file has the shorter values. */
export function verdictText(verdict: Verdict): string {
  return VERDICT_TEXTS[verdict]
}

export interface Comparison {
  /** The first figure divided by the second. */
  readonly ratio: Estimate
  readonly verdict: Verdict
}

/** Maximum distance of an interval's ends from 1 if two figures are equivalent (`tie`). */
export const TIE = 0.05

/**
 * Compares two figures from the same blocks by the median of their ratios. Effects common to a block cancel out, and a
 * single disturbed block does not matter.
 */
export function compare(first: readonly number[], second: readonly number[]): Comparison {
  const ratio = medianEstimate(first.map((one, block) => one / second[block]!))
  return { ratio, verdict: verdictOf(ratio) }
}

/** Returns the verdict for the interval of a ratio. */
export function verdictOf({ low, high }: Estimate): Verdict {
  if (low === null || high === null) return 'not distinguished'
  if (low >= 1 - TIE && high <= 1 + TIE) return 'tie'
  if (high < 1) return 'lower'
  if (low > 1) return 'higher'
  return 'not distinguished'
}

/** Returns the slope of the least-squares line. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const x = meanOf(points.map((point) => point[0]))
  const y = meanOf(points.map((point) => point[1]))
  const up = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  return up / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}

/** Returns the maximum of sorted values after dropping the highest hundredth, at least one value. 0 if empty. */
export function trimmedMax(sorted: readonly number[]): number {
  return sorted.at(-1 - Math.ceil(sorted.length / 100)) ?? sorted[0] ?? 0
}
