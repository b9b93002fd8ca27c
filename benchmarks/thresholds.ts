import { BOUNDS, isDisturbed } from './failures.ts'
import { isOwnServer } from './plan.ts'
import type { Residual } from './residual.ts'
import type { RoundResult } from './round-result.ts'
import type { Outcome } from './run.ts'
import { show } from './table.ts'

/** The thresholds of a run in one line each, as k6 prints them. */

export interface Threshold {
  /** Null: inconclusive. */
  readonly holds: boolean | null
  /** The measured value, with the threshold in brackets. */
  readonly text: string
}

export function thresholdsOf({ rounds, residuals, settings }: Outcome): Threshold[] {
  if (rounds.length === 0) return []
  const sum = (figure: (round: RoundResult) => number) =>
    rounds.reduce((total, round) => total + figure(round), 0)
  const most = (figure: (round: RoundResult) => number) => Math.max(...rounds.map(figure))
  const lost = sum(
    ({ missed, duplicates, reordered, faults }) => missed + duplicates + reordered + faults.length,
  )
  const early = sum(({ quality }) => quality.early + quality.negative)
  const clock = most(({ quality }) => quality.clockOff)
  const told = [-most(({ quality }) => -quality.cpuTold), most(({ quality }) => quality.cpuTold)] as const
  const off = Math.max(1 - told[0], told[1] - 1)
  const quiet = rounds.filter((round) => !isDisturbed(round)).length
  const late = rounds.filter(
    (round) => round.quality.acceptedShare < BOUNDS.accepted && !isDisturbed(round),
  ).length
  return [
    {
      holds: lost === 0,
      text: `messages missed, duplicated or out of order: ${lost} of ${sum(({ deliveries }) => deliveries).toLocaleString('en-US')} (none allowed)`,
    },
    { holds: early === 0, text: `messages before their planned time: ${early} (none allowed)` },
    {
      holds: late === 0,
      text: `rounds in which the server refused or delayed publishes: ${late} (none allowed)`,
    },
    { holds: clock <= BOUNDS.clock, text: `clock error: ${show(clock)} ms (at most ${BOUNDS.clock} ms)` },
    ...(isOwnServer(settings)
      ? [
          {
            holds: off <= BOUNDS.cpu,
            text: `server CPU relative to /proc: ${percent(told[0])} to ${percent(told[1])} (within ${percent(BOUNDS.cpu)})`,
          },
        ]
      : []),
    ...modelled(
      'bytes and requests relative to the model',
      '1.5 %',
      residuals,
      ({ figure }) => figure !== 'delay',
    ),
    ...modelled('latency relative to the model', '10 %', residuals, ({ figure }) => figure === 'delay'),
    {
      holds: quiet === rounds.length ? true : null,
      text: `undisturbed rounds: ${quiet} of ${rounds.length} (at least three quarters per transport)`,
    },
  ]
}

function modelled(
  name: string,
  bound: string,
  residuals: readonly Residual[],
  of: (residual: Residual) => boolean,
): Threshold[] {
  const own = residuals.filter(of)
  if (own.length === 0) return []
  const count = (state: boolean | null) => own.filter(({ holds }) => holds === state).length
  const [good, bad, open] = [count(true), count(false), count(null)]
  return [
    {
      holds: bad > 0 ? false : open > 0 ? null : true,
      text: `${name}: ${good} of ${own.length} agree${open > 0 ? `, ${open} inconclusive` : ''} (within ${bound}, or three standard errors)`,
    },
  ]
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
