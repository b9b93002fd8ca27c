import type { RoundResult } from './round-result.ts'
import { counted } from './table.ts'

/** The conditions that a valid round meets, and the failures of those that it does not. */

export interface Failure {
  /** `wrong`: the transport or the benchmark failed. `outside`: the machine disturbed the round. */
  readonly kind: 'wrong' | 'outside'
  /** The section that the failure invalidates. */
  readonly section: string
  readonly text: string
}

/** Maximum disturbance: milliseconds, and shares of a core and of the machine. */
interface Bounds {
  /** Lags below these do not disturb a round. */
  readonly lag: number
  readonly proxyLag: number
  readonly loadCore: number
  readonly steal: number
  /** Shares of the time in which the server waits for its core, and of the time in which it runs. */
  readonly waited: number
  readonly waitedShare: number
}

export const STEAL = 0.02
const FULL: Bounds = { lag: 0.2, proxyLag: 1, loadCore: 0.7, steal: STEAL, waited: 0.005, waitedShare: 0.25 }
/** A quick run has to work on any machine, so its bounds are wide. */
const QUICK: Bounds = { lag: 20, proxyLag: 20, loadCore: 0.95, steal: 0.2, waited: 0.1, waitedShare: 1 }
/**
 * The share of a latency that the lag of the benchmark's own processes may add. The spread between rounds is larger. An
 * absolute bound would allow the same millisecond for a p99 of 10 ms and a p50 of 2.5 s.
 */
export const LAG_SHARE = 0.1
/** Bounds of the run's own accounting. */
export const BOUNDS = {
  /** Maximum deviation of the server's own CPU figure from /proc. Usually they agree to one part in 1,000. */
  cpu: 0.02,
  /** Maximum difference of clocks in milliseconds. All processes share one monotonic clock. */
  clock: 0.1,
  /** The share of planned publishes that the server must accept in time. */
  accepted: 0.99,
} as const

export function failuresOf(measured: RoundResult): Failure[] {
  const { section, variant, block, missed, duplicates, reordered, faults, quality, latency } = measured
  const bounds = quality.lenient ? QUICK : FULL
  const failures: Failure[] = []
  const fail = (kind: Failure['kind'], text: string) =>
    failures.push({ kind, section, text: `${section}: ${variant}, round ${block + 1}: ${text}` })

  if (missed > 0) fail('wrong', `${counted(missed, 'message was', 'messages were')} missed`)
  if (duplicates > 0) fail('wrong', `${counted(duplicates, 'message', 'messages')} arrived twice`)
  if (reordered > 0) fail('wrong', `${counted(reordered, 'message', 'messages')} arrived out of order`)
  for (const fault of faults) fail('wrong', fault)
  if (quality.early > 0)
    fail(
      'wrong',
      `${counted(quality.early, 'message was', 'messages were')} published before their planned time`,
    )
  if (quality.negative > 0)
    fail('wrong', `${counted(quality.negative, 'message', 'messages')} arrived before being sent`)
  if (quality.clockOff > BOUNDS.clock) {
    fail('wrong', `a clock was off by ${quality.clockOff.toFixed(2)} ms (at most ${BOUNDS.clock} ms)`)
  }
  if (Math.abs(quality.cpuTold - 1) > BOUNDS.cpu) {
    fail(
      'wrong',
      `the server reported ${percent(quality.cpuTold)} of its CPU in /proc (within ${percent(BOUNDS.cpu)})`,
    )
  }
  if (quality.lagShare > LAG_SHARE && quality.lagP99 > bounds.lag) {
    fail(
      'outside',
      `the publisher lagged by ${quality.lagP99.toFixed(2)} ms (p99), which is ${percent(quality.lagShare)} of a latency (at most ${percent(LAG_SHARE)})`,
    )
  }
  const most = Math.max(bounds.proxyLag, LAG_SHARE * (latency?.p50 ?? 0))
  if (quality.proxyLagP99 > most) {
    fail(
      'outside',
      `the proxy lagged by ${quality.proxyLagP99.toFixed(2)} ms (p99, at most ${most.toFixed(2)} ms)`,
    )
  }
  if (quality.loadCore > bounds.loadCore) {
    fail(
      'outside',
      `the load used ${percent(quality.loadCore)} of a core (at most ${percent(bounds.loadCore)})`,
    )
  }
  if (quality.steal > bounds.steal) {
    fail('outside', `the host stole ${percent(quality.steal)} of the CPU (at most ${percent(bounds.steal)})`)
  }
  const waited = Math.max(bounds.waited, bounds.waitedShare * (quality.serverRan ?? 0))
  if ((quality.serverWaited ?? 0) > waited) {
    fail(
      'outside',
      `the server waited for its core for ${percent(quality.serverWaited!)} of the time (at most ${percent(waited)})`,
    )
  }
  if (quality.acceptedShare < BOUNDS.accepted) {
    // On a disturbed machine, the app is not to blame for late publishes.
    fail(
      failures.some(({ kind }) => kind === 'outside') ? 'outside' : 'wrong',
      `the server accepted only ${percent(quality.acceptedShare)} of the planned publishes in the window (at least ${percent(BOUNDS.accepted)})`,
    )
  }
  return failures
}

/** Whether the machine disturbed the round. */
export function isDisturbed(measured: RoundResult): boolean {
  return failuresOf(measured).some(({ kind }) => kind === 'outside')
}

/** Whether messages were lost, duplicated or reordered. No disturbance excuses that. */
export function isLossy({ missed, duplicates, reordered, faults }: RoundResult): boolean {
  return missed + duplicates + reordered + faults.length > 0
}

/** Whether the latencies contain so much of the publisher's lag that they are upper bounds. */
export function isUpperBound({ latency, quality }: RoundResult): boolean {
  return latency !== null && quality.lagShare > LAG_SHARE
}

/** The number of undisturbed rounds that a row needs: three quarters. */
export function undisturbedNeeded(rounds: number): number {
  return Math.ceil(0.75 * rounds)
}

/**
 * Returns the undisturbed rounds if there are enough of them. Otherwise returns all rounds, and the report states the
 * disturbance.
 */
export function undisturbedOf(rounds: readonly RoundResult[]): readonly RoundResult[] {
  const quiet = rounds.filter((round) => !isDisturbed(round))
  return quiet.length >= undisturbedNeeded(rounds.length) ? quiet : rounds
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
