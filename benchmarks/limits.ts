/** What a full run does beside its plan. */
export interface Limits {
  /** How often a round is repeated that the machine has disturbed. */
  readonly repeats: number
  /** Counts of idle subscribers, and how often all of them are measured: six carry an interval. */
  readonly idle: readonly number[]
  readonly passes: number
  /** Counts of subscribers to whom a hot server delivers as fast as it can, and the deliveries to each. */
  readonly hot: { readonly subscribers: readonly number[]; readonly units: number }
  /** Seconds that each case of the request ceiling takes. */
  readonly ceiling: number
  /** Whether the machine does nothing else: the processes that keep time go before the load at once then. */
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
