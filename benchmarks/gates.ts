import type { Measured } from './record.ts'

/** What a round must be to be believed. */

export interface Failure {
  /** `wrong`: the transport, or the run itself, is at fault, and that stands. `outside`: the machine was disturbed. */
  readonly kind: 'wrong' | 'outside'
  /** Whose figures it is against. */
  readonly section: string
  readonly text: string
}

/** Milliseconds; and parts of the p50 reported, of a core, of the machine. */
const LAG = 1
const LAG_SHARE = 0.1
const LOAD_CORE = 0.7
export const STEAL = 0.02
const ACCEPTED = 0.99

export function failuresOf(measured: Measured): Failure[] {
  const { section, variant, block, missed, duplicates, reordered, faults, quality, latency } = measured
  const failures: Failure[] = []
  const fail = (kind: Failure['kind'], text: string) =>
    failures.push({ kind, section, text: `${section}: ${variant}, block ${block + 1}: ${text}` })

  if (missed > 0) fail('wrong', `${missed} messages were missed`)
  if (duplicates > 0) fail('wrong', `${duplicates} messages came twice`)
  if (reordered > 0) fail('wrong', `${reordered} messages came out of order`)
  for (const fault of faults) fail('wrong', fault)
  if (quality.early > 0) fail('wrong', `${quality.early} messages were published before their time`)
  if (quality.acceptedShare < ACCEPTED) {
    fail(
      'wrong',
      `only ${percent(quality.acceptedShare)} of the planned publishes were accepted in the window; ${percent(ACCEPTED)} are asked for`,
    )
  }
  const most = Math.max(LAG, LAG_SHARE * (latency?.p50 ?? 0))
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
  if (quality.loadCore > LOAD_CORE) {
    fail('outside', `the load took ${percent(quality.loadCore)} of a core; ${percent(LOAD_CORE)} is the most`)
  }
  if (quality.steal > STEAL) {
    fail(
      'outside',
      `the host took ${percent(quality.steal)} of the machine away; ${percent(STEAL)} is the most`,
    )
  }
  return failures
}

/** What no disturbance excuses. */
export function isLossy({ missed, duplicates, reordered, faults }: Measured): boolean {
  return missed + duplicates + reordered + faults.length > 0
}

/** Whether a p50 is so small that the publisher's lag is a good part of it. */
export function atFloor({ latency, quality }: Measured): boolean {
  return latency !== null && latency.p50 < 5 * quality.lagP99
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
