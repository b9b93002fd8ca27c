/** Means, intervals and what may be said of a difference. */

/** A figure over rounds. The interval is null where one round does not give one. */
export interface Estimate {
  readonly value: number
  readonly low: number | null
  readonly high: number | null
}

/** Student's t at 0.975, by degrees of freedom from 1 on; past the end the last one is on the safe side. */
const T = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
]

export function studentT(freedom: number): number {
  return T[Math.min(freedom, T.length) - 1]!
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** The standard error of the mean; 0 of one value. */
export function errorOf(values: readonly number[]): number {
  if (values.length < 2) return 0
  const mean = meanOf(values)
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(square / (values.length - 1) / values.length)
}

/** The mean, with its interval of 95 %. */
export function meanEstimate(values: readonly number[]): Estimate {
  const value = meanOf(values)
  if (values.length < 2) return { value, low: null, high: null }
  const half = studentT(values.length - 1) * errorOf(values)
  return { value, low: value - half, high: value + half }
}

/**
 * The median round's figure, with the interval that order statistics give: as far from both ends as leaves out no
 * more than 5 % (the sign test). Five rounds and fewer can't.
 */
export function medianEstimate(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b)
  const count = sorted.length
  const value = (sorted[(count - 1) >> 1]! + sorted[count >> 1]!) / 2
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
 * Two figures that were measured in the same blocks. Their ratio's logarithm is taken in each block, so that what a
 * block has in common falls out, and Student's t over the blocks gives the interval.
 */
export function compare(first: readonly number[], second: readonly number[]): Comparison {
  const { value, low, high } = meanEstimate(first.map((one, block) => Math.log(one / second[block]!)))
  const ratio = {
    value: Math.exp(value),
    low: low === null ? null : Math.exp(low),
    high: high === null ? null : Math.exp(high),
  }
  return { ratio, verdict: verdictOf(ratio) }
}

function verdictOf({ low, high }: Estimate): Verdict {
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
