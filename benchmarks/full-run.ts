/** Parameters of a full run that are not part of its plan. */
export interface FullRunParameters {
  /** Maximum repetitions of a disturbed round. */
  readonly maxRetries: number
  /** Numbers of idle subscribers, and the number of passes: six give an interval. */
  readonly idleSubscribers: readonly number[]
  readonly passes: number
  /** Numbers of subscribers for the CPU per delivery on a warmed-up server, and the deliveries for each. */
  readonly deliveryCpu: { readonly subscribers: readonly number[]; readonly units: number }
  /** Seconds per case of the throughput of /poll. */
  readonly throughputSeconds: number
  /** Whether the machine runs nothing else, so that the load can use the idle scheduling class. */
  readonly dedicatedMachine: boolean
}

export const FULL_RUN: FullRunParameters = {
  maxRetries: 6,
  idleSubscribers: [0, 3000],
  passes: 6,
  deliveryCpu: { subscribers: [10, 100, 1000, 5000], units: 20_000 },
  throughputSeconds: 5,
  dedicatedMachine: true,
}
