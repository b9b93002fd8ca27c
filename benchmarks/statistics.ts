/** Means, intervals and what may be said of a difference. */

/** A figure over rounds. The interval is null where one round does not give one. */
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

/** The standard error of the mean; 0 of one value. */
export function errorOf(values: readonly number[]): number {
  if (values.length < 2) return 0
  const mean = meanOf(values)
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(square / (values.length - 1) / values.length)
}

/**
 * The median round's figure, with the interval of 95 % that order statistics give: as far from both ends as leaves out no
 * more than 5 % (the sign test), however skewed the rounds are. Five rounds and fewer can't.
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

export interface Comparison {
  /** The first over the second. */
  readonly ratio: Estimate
  readonly verdict: Verdict
}

/** A tie: the whole interval lies this near to one. */
export const TIE = 0.05

/**
 * Two figures that were measured in the same blocks: the median of their ratios, so that what a block has in common falls
 * out, and one block that was disturbed decides nothing.
 */
export function compare(first: readonly number[], second: readonly number[]): Comparison {
  const ratio = medianEstimate(first.map((one, block) => one / second[block]!))
  return { ratio, verdict: verdictOf(ratio) }
}

/** What an interval says of a ratio. */
export function verdictOf({ low, high }: Estimate): Verdict {
  if (low === null || high === null) return 'not distinguished'
  if (low >= 1 - TIE && high <= 1 + TIE) return 'tie'
  if (high < 1) return 'lower'
  if (low > 1) return 'higher'
  return 'not distinguished'
}

/** The slope of the straight line nearest to the points (least squares). */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const x = meanOf(points.map((point) => point[0]))
  const y = meanOf(points.map((point) => point[1]))
  const up = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  return up / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}

/** The most of sorted values without the worst hundredth, one at least: a short round has no hundred. 0 of none. */
export function withoutWorst(sorted: readonly number[]): number {
  return sorted.at(-1 - Math.ceil(sorted.length / 100)) ?? sorted[0] ?? 0
}
