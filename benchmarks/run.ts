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
  readonly limits?: Limits
}

/** What a full run does beside its plan. */
export interface Limits {
  /** How often a block is repeated that the machine has disturbed. */
  readonly repeats: number
  /** Counts of idle subscribers. */
  readonly idle: readonly number[]
  /** Seconds that each case of the request ceiling takes. */
  readonly ceiling: number
  /** Whether the machine does nothing else: the processes that keep time go before the load at once then. */
  readonly alone: boolean
}

const LIMITS: Limits = { repeats: 2, idle: [0, 400, 800], ceiling: 5, alone: true }

/** Seconds that a run may take: it repeats nothing that would lead past this, or past a tenth more than was planned. */
const MOST = 15 * 60
/** Seconds that the memory of idle subscribers takes. */
const MEMORY = 35

/** @throws MissingPeer */
export async function run(settings: Settings, options: RunOptions): Promise<Outcome> {
  const {
    progress,
    signal = new AbortController().signal,
    model = predict,
    inject,
    limits = LIMITS,
  } = options
  const full = !settings.quick && settings.url === undefined
  const histogram = await histograms()
  // Not found to be missing after a quarter of an hour.
  if (full) await autocannon()
  const sections = planOf(settings)
  const stage = new Stage(settings.url, inject, full && limits.alone)
  const stop = () => stage.end()
  signal.addEventListener('abort', stop)
  const kept: Measured[] = []
  const failures: Failure[] = []
  let repeated = 0
  let memory: Memory[] = []
  let ceiling: Ceiling[] = []
  try {
    const plans = sections.flatMap(({ blocks }) => blocks.flat())
    const after = full ? MEMORY + 3 * limits.ceiling : 0
    const secondsFrom = (place: number) =>
      plans.slice(place).reduce((sum, plan) => sum + secondsOf(plan), after)
    const end = now() + Math.max(MOST, 1.1 * secondsFrom(0)) * 1e6
    stage.prepare(plans.length)
    for (const { title, blocks } of sections) {
      for (const [index, block] of blocks.entries()) {
        const found = await believed(
          async (attempt) => {
            const measured: Measured[] = []
            for (const plan of block) {
              const place = plans.indexOf(plan)
              const again = ', repeated'.repeat(attempt)
              progress(
                `${title}, block ${index + 1} of ${blocks.length}${again}: ${plan.variant.name}; ${clock(secondsFrom(place))} left`,
              )
              measured.push(measure(await stage.run(plan, plans.length - place - 1), histogram))
            }
            return measured
          },
          settings.quick ? 0 : limits.repeats,
          () => now() + secondsFrom(plans.indexOf(block[0]!)) * 1e6 < end,
        )
        kept.push(...found.rounds)
        failures.push(...found.failures)
        repeated += found.repeated
      }
    }
    if (full) {
      progress(`Memory of idle subscribers; ${clock(after)} left`)
      memory = await measureMemory(stage, settings, limits.idle)
      progress(`Requests that /poll answers; ${clock(3 * limits.ceiling)} left`)
      ceiling = await measureCeiling(stage, settings, limits.ceiling)
    }
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

/** A block's rounds, as they are kept. */
export interface Block {
  readonly rounds: readonly Measured[]
  readonly failures: readonly Failure[]
  readonly repeated: number
}

/**
 * Runs a block, and again where the machine has disturbed it: all of it, since its rounds are compared with each other.
 * What was lost stays lost.
 * @param measured its rounds; `attempt` counts from 0
 * @param inTime whether there is time for another
 */
export async function believed(
  measured: (attempt: number) => Promise<readonly Measured[]>,
  repeats: number,
  inTime: () => boolean = () => true,
): Promise<Block> {
  for (let repeated = 0; ; repeated++) {
    const rounds = await measured(repeated)
    const failures = rounds.flatMap(failuresOf)
    const again = failures.some(({ kind }) => kind === 'outside') && !rounds.some(isLossy)
    if (!again || repeated === repeats || !inTime()) return { rounds, failures, repeated }
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
