import { now } from './clock.ts'
import { type Ceiling, type Memory, measureCeiling, measureMemory } from './extras.ts'
import { type Failure, failuresOf, isLossy } from './gates.ts'
import { autocannon, histograms } from './peers.ts'
import { planOf, type Section, type Settings, secondsOf } from './plan.ts'
import { type Measured, measure } from './record.ts'
import { type Model, predict, publishingOf, type Residual, residualsOf } from './residual.ts'
import { type Inject, Stage } from './round.ts'

/** Runs what is planned, and keeps what can be believed. */

export interface Outcome {
  readonly settings: Settings
  readonly sections: readonly Section[]
  readonly rounds: readonly Measured[]
  /** What stands against the run: each says so aloud. */
  readonly failures: readonly Failure[]
  /** Blocks that were run again, since the machine was disturbed. */
  readonly repeated: number
  readonly residuals: readonly Residual[]
  /** Empty where they were not measured. */
  readonly memory: readonly Memory[]
  readonly ceiling: readonly Ceiling[]
  /** Whether it was interrupted: rounds are those of whole blocks. */
  readonly partial: boolean
}

export interface RunOptions {
  /** Takes one line of progress. */
  readonly progress: (line: string) => void
  /** Ends the run: what is complete is returned. */
  readonly signal?: AbortSignal
  /** For tests. */
  readonly model?: Model
  readonly inject?: Inject
}

/** How often a block is repeated that the machine has disturbed. */
const REPEATS = 2
/** Seconds that a run may take: it repeats nothing that would lead past this, or past a tenth more than was planned. */
const MOST = 15 * 60
/** Seconds that the memory of idle subscribers takes. */
const MEMORY = 45
/** Seconds that each case of the request ceiling takes. */
const CEILING = 5

/** @throws MissingPeer */
export async function run(settings: Settings, options: RunOptions): Promise<Outcome> {
  const { progress, signal = new AbortController().signal, model = predict, inject } = options
  const histogram = await histograms()
  const sections = planOf(settings)
  const stage = new Stage(settings.url, inject)
  const stop = () => stage.end()
  signal.addEventListener('abort', stop)
  const kept: Measured[] = []
  const failures: Failure[] = []
  let repeated = 0
  let memory: Memory[] = []
  let ceiling: Ceiling[] = []
  try {
    const plans = sections.flatMap(({ blocks }) => blocks.flat())
    const whole = !settings.quick && settings.url === undefined
    // Not after a quarter of an hour.
    /* c8 ignore next 2 -- the full run takes minutes */
    if (whole) await autocannon()
    const after = whole ? MEMORY + 3 * CEILING : 0
    let left = plans.reduce((sum, plan) => sum + secondsOf(plan), after)
    const end = now() + Math.max(MOST, 1.1 * left) * 1e6
    let count = plans.length
    stage.prepare(count)
    for (const { title, blocks } of sections) {
      for (const [index, block] of blocks.entries()) {
        for (let attempt = 0; ; attempt++) {
          const rounds: Measured[] = []
          for (const plan of block) {
            /* c8 ignore next -- only on a machine that is disturbed */
            const again = attempt === 0 ? '' : `, repeated`
            progress(
              `${title}, block ${index + 1} of ${blocks.length}${again}: ${plan.variant.name}; ${clock(left)} left`,
            )
            if (attempt === 0) {
              left -= secondsOf(plan)
              count--
            }
            rounds.push(measure(await stage.run(plan, count), histogram))
          }
          const found = rounds.flatMap(failuresOf)
          const disturbed = found.some(({ kind }) => kind === 'outside')
          const lost = rounds.some(isLossy)
          /* c8 ignore start -- only on a machine that is disturbed */
          const once = block.reduce((sum, plan) => sum + secondsOf(plan), left)
          const time = now() + once * 1e6 < end
          if (disturbed && !lost && attempt < REPEATS && !settings.quick && time) {
            repeated++
            continue
          }
          /* c8 ignore stop */
          kept.push(...rounds)
          failures.push(...found)
          break
        }
      }
    }
    /* c8 ignore start -- takes minutes: what it measures is tested by itself */
    if (whole) {
      progress(`Memory of idle subscribers; ${clock(after)} left`)
      memory = await measureMemory(stage, settings)
      progress(`Requests that /poll answers; ${clock(3 * CEILING)} left`)
      ceiling = await measureCeiling(stage, settings, CEILING)
    }
    /* c8 ignore stop */
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', stop)
    await stage.end()
  }
  return {
    settings,
    sections,
    rounds: kept,
    failures,
    repeated,
    memory,
    ceiling,
    residuals: settings.url === undefined ? residuals(sections, kept, model) : [],
    partial: signal.aborted,
  }
}

function residuals(sections: readonly Section[], rounds: readonly Measured[], model: Model): Residual[] {
  return sections.flatMap(({ name, blocks }) =>
    blocks[0]!.flatMap(({ variant, workload }) => {
      const own = rounds.filter((round) => round.section === name && round.variant === variant.name)
      const publishing = publishingOf(sections, rounds, workload)
      return own.length === 0 ? [] : residualsOf(variant, workload, own, model, publishing)
    }),
  )
}

/** Whether the run can be believed. A quick one on a busy machine can still be looked at. */
export function passed({ failures, residuals, settings }: Outcome): boolean {
  const counted = failures.filter(({ kind }) => kind === 'wrong' || !settings.quick)
  return counted.length === 0 && residuals.every(({ holds }) => holds !== false)
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
