import type { Measured } from './record.ts'

/** What a round must be to be believed. */

export interface Failure {
  /** `wrong`: the transport, or the run itself, is at fault, and that stands. `outside`: the machine was disturbed. */
  readonly kind: 'wrong' | 'outside'
  /** Whose figures it is against. */
  readonly section: string
  readonly text: string
}

/** How far a machine may be disturbed. Milliseconds; and parts of the p50 reported, of a core, of the machine. */
interface Bounds {
  readonly lag: number
  readonly loadCore: number
  readonly steal: number
  /** Of the time for which the server waits for its core; and of that for which it has it. */
  readonly waited: number
  readonly waitedShare: number
}

export const STEAL = 0.02
const FULL: Bounds = { lag: 1, loadCore: 0.7, steal: STEAL, waited: 0.005, waitedShare: 0.25 }
/** A quick run is there to be looked at, on whatever machine: but what can't be looked at, it says. */
const QUICK: Bounds = { lag: 20, loadCore: 0.95, steal: 0.2, waited: 0.1, waitedShare: 1 }
const LAG_SHARE = 0.1
/** What the run's own accounting is held to. */
export const BOUNDS = {
  /** How far the server's own CPU may be outside of what another reader has found. They agree to a part in 1,000. */
  cpu: 0.02,
  /** Milliseconds by which clocks of one machine may be apart: they are one. */
  clock: 0.1,
  /** The share of the planned publishes that must be accepted in time. */
  accepted: 0.99,
} as const

export function failuresOf(measured: Measured): Failure[] {
  const { section, variant, block, missed, duplicates, reordered, faults, quality, latency } = measured
  const bounds = quality.lenient ? QUICK : FULL
  const failures: Failure[] = []
  const fail = (kind: Failure['kind'], text: string) =>
    failures.push({ kind, section, text: `${section}: ${variant}, round ${block + 1}: ${text}` })

  if (missed > 0) fail('wrong', `${missed} messages were missed`)
  if (duplicates > 0) fail('wrong', `${duplicates} messages came twice`)
  if (reordered > 0) fail('wrong', `${reordered} messages came out of order`)
  for (const fault of faults) fail('wrong', fault)
  if (quality.early > 0) fail('wrong', `${quality.early} messages were published before their time`)
  if (quality.negative > 0) fail('wrong', `${quality.negative} deliveries came before their message was sent`)
  if (quality.clockOff > BOUNDS.clock) {
    fail('wrong', `a clock was off by ${quality.clockOff.toFixed(2)} ms; ${BOUNDS.clock} ms is the most`)
  }
  if (Math.abs(quality.cpuTold - 1) > BOUNDS.cpu) {
    fail(
      'wrong',
      `the server told ${percent(quality.cpuTold)} of the CPU that /proc has of it; within ${percent(BOUNDS.cpu)} is asked for`,
    )
  }
  const most = Math.max(bounds.lag, LAG_SHARE * (latency?.p50 ?? 0))
  if (quality.lagP99 > most) {
    fail(
      'outside',
      `the publisher lagged by ${quality.lagP99.toFixed(2)} ms (p99); ${most.toFixed(2)} ms is the most`,
    )
  }
  if (quality.proxyLagP99 > most) {
    fail(
      'outside',
      `the proxy lagged by ${quality.proxyLagP99.toFixed(2)} ms (p99); ${most.toFixed(2)} ms is the most`,
    )
  }
  if (quality.loadCore > bounds.loadCore) {
    fail(
      'outside',
      `the load took ${percent(quality.loadCore)} of a core; ${percent(bounds.loadCore)} is the most`,
    )
  }
  if (quality.steal > bounds.steal) {
    fail(
      'outside',
      `the host took ${percent(quality.steal)} of the machine away; ${percent(bounds.steal)} is the most`,
    )
  }
  const waited = Math.max(bounds.waited, bounds.waitedShare * (quality.serverRan ?? 0))
  if ((quality.serverWaited ?? 0) > waited) {
    fail(
      'outside',
      `the server waited for its core for ${percent(quality.serverWaited!)} of the time; ${percent(waited)} is the most`,
    )
  }
  if (quality.acceptedShare < BOUNDS.accepted) {
    // Where the machine has kept somebody from his work, it is not the app that takes nothing.
    fail(
      failures.some(({ kind }) => kind === 'outside') ? 'outside' : 'wrong',
      `only ${percent(quality.acceptedShare)} of the planned publishes were accepted in the window; ${percent(BOUNDS.accepted)} are asked for`,
    )
  }
  return failures
}

/** Whether the machine disturbed a round. */
export function isDisturbed(measured: Measured): boolean {
  return failuresOf(measured).some(({ kind }) => kind === 'outside')
}

/** What no disturbance excuses. */
export function isLossy({ missed, duplicates, reordered, faults }: Measured): boolean {
  return missed + duplicates + reordered + faults.length > 0
}

/** Whether a p50 is so small that the publisher's lag is a good part of it. */
export function atFloor({ latency, quality }: Measured): boolean {
  return latency !== null && latency.p50 < 5 * quality.lagP99
}

/** Rounds that must have been quiet, of so many: three quarters. */
export function quietNeeded(rounds: number): number {
  return Math.ceil(0.75 * rounds)
}

/**
 * The rounds that are told: those that nothing disturbed, where they are enough, since one that was decides too much of
 * a figure; else all of them, and the verdict says so.
 */
export function quietOf(rounds: readonly Measured[]): readonly Measured[] {
  const quiet = rounds.filter((round) => !isDisturbed(round))
  return quiet.length >= quietNeeded(rounds.length) ? quiet : rounds
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
