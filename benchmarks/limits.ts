/** Parameters of a full run that are not part of its plan. */
export interface Limits {
  /** Maximum repetitions of a disturbed round. */
  readonly repeats: number
  /** Numbers of idle subscribers, and the number of passes: six give an interval. */
  readonly idle: readonly number[]
  readonly passes: number
  /** Numbers of subscribers for the CPU cost on a hot server, and the deliveries for each. */
  readonly hot: { readonly subscribers: readonly number[]; readonly units: number }
  /** Seconds per case of the request ceiling. */
  readonly ceiling: number
  /** Whether the machine runs nothing else, so that the load can use the idle scheduling class. */
  readonly alone: boolean
}

export const LIMITS: Limits = {
  repeats: 6,
  idle: [0, 3000],
  passes: 6,
  hot: { subscribers: [10, 100, 1000, 5000], units: 20_000 },
  ceiling: 5,
  alone: true,
}
