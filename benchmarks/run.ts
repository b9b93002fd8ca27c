import { now } from './clock.ts'
import { type Ceiling, type Memory, measureCeiling, measureMemory } from './extras.ts'
import { type Failure, failuresOf, isLossy, STEAL } from './gates.ts'
import { stealNow } from './machine.ts'
import { autocannon, histograms } from './peers.ts'
import { planOf, type RoundPlan, type Section, type Settings, secondsOf } from './plan.ts'
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

const LIMITS: Limits = { repeats: 6, idle: [0, 1500, 3000], ceiling: 5, alone: true }

/** Seconds that the memory of idle subscribers takes. */
const MEMORY = 45

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
  const found = new Map<Block, Believed>()
  let memory: Memory[] = []
  let ceiling: Ceiling[] = []
  try {
    const titles = new Map(
      sections.flatMap(({ title, blocks }) =>
        blocks.map((block, index) => [block, `${title}, block ${index + 1} of ${blocks.length}`] as const),
      ),
    )
    const after = full ? MEMORY + 3 * limits.ceiling : 0
    const secondsTo = (plans: Block) => plans.reduce((sum, plan) => sum + secondsOf(plan), after)
    const all = [...titles.keys()]
    const end = now() + Math.max(60 * settings.minutes, 1.1 * secondsTo(all.flat())) * 1e6
    const inTime = (plans: Block) => !signal.aborted && now() + secondsTo(plans) * 1e6 < end
    const calm = async (left: Block) => {
      do progress(`Is the machine our own? ${clock(secondsTo(left))} left`)
      while (inTime(left) && (await stealNow()) > STEAL)
    }
    await believed(
      all,
      async (plan, block, attempt, left) => {
        const again = ', repeated'.repeat(attempt)
        progress(`${titles.get(block)}${again}: ${plan.variant.name}; ${clock(secondsTo(left))} left`)
        return measure(await stage.run(plan, left.length - 1), histogram)
      },
      found,
      { repeats: settings.quick ? 0 : limits.repeats, inTime, calm },
    )
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
  // In the order of the plan, whatever was run again.
  const kept = sections.flatMap(({ blocks }) => blocks.flatMap((block) => found.get(block) ?? []))
  const rounds = kept.flatMap((one) => one.rounds)
  return {
    settings,
    sections,
    rounds,
    failures: kept.flatMap((one) => one.failures),
    repeated: kept.reduce((sum, one) => sum + one.repeated, 0),
    memory,
    ceiling,
    residuals: settings.url === undefined ? residualsIn(sections, rounds, model) : [],
    partial: signal.aborted,
  }
}

type Block = readonly RoundPlan[]

/** A block's rounds, as they are kept. */
export interface Believed {
  readonly rounds: readonly Measured[]
  readonly failures: readonly Failure[]
  readonly repeated: number
}

/** How a machine is met that has other things to do. */
export interface Patience<P> {
  /** How often a block is run again, at most. */
  readonly repeats: number
  /** Whether there is time for all these. */
  inTime(plans: readonly P[]): boolean
  /** Resolves when nothing disturbs it any more, or these, which are still to be run, leave no time to wait for that. */
  calm(left: readonly P[]): Promise<void>
}

/**
 * Runs blocks, and again those that the machine has disturbed: all of such a block, since its rounds are compared with
 * each other, and when all others have run, since what disturbs a machine lasts for a while. Where there is time to run
 * it again, the rest of it is left out. What was lost stays lost.
 * @param run one round; `attempt` counts from 0, and `left` begins with it
 * @param found takes what is kept of each block, its last attempt
 */
export async function believed<P>(
  blocks: readonly (readonly P[])[],
  run: (plan: P, block: readonly P[], attempt: number, left: readonly P[]) => Promise<Measured>,
  found: Map<readonly P[], Believed>,
  { repeats, inTime, calm }: Patience<P>,
): Promise<void> {
  const queue = blocks.map((block) => ({ block, attempt: 0 }))
  let disturbed = false
  for (const [place, { block, attempt }] of queue.entries()) {
    const rest = () => queue.slice(place + 1).flatMap((other) => other.block)
    // Only of a block that has run to its end: of one that was left there is nothing yet.
    if (found.has(block) && !inTime(block)) continue
    if (disturbed && repeats > 0) await calm([...block, ...rest()])
    const rounds: Measured[] = []
    let again = false
    for (const [index, plan] of block.entries()) {
      rounds.push(await run(plan, block, attempt, [...block.slice(index), ...rest()]))
      disturbed = rounds.flatMap(failuresOf).some(({ kind }) => kind === 'outside')
      again = disturbed && attempt < repeats && !rounds.some(isLossy)
      if (again && inTime([...rest(), ...block])) break
    }
    if (rounds.length === block.length) {
      found.set(block, { rounds, failures: rounds.flatMap(failuresOf), repeated: attempt })
    }
    if (again) queue.push({ block, attempt: attempt + 1 })
  }
}

/** The model beside all that was measured. */
export function residualsIn(
  sections: readonly Section[],
  rounds: readonly Measured[],
  model: Model = predict,
): Residual[] {
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
