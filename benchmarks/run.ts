import { adapterOf } from './adapters/adapter.ts'
import { entryOf } from './checkout.ts'
import { now } from './clock.ts'
import { type Extras, measureExtras } from './extras.ts'
import { type Failure, failuresOf, isDisturbed, isLossy, STEAL } from './gates.ts'
import type { Heating } from './heat.ts'
import { histogram } from './histogram.ts'
import { LIMITS, type Limits } from './limits.ts'
import { openFiles, stealNow } from './machine.ts'
import { UsageError } from './options.ts'
import { isOurs, planOf, type RoundPlan, type Section, type Settings, secondsOf, serversOf } from './plan.ts'
import { probe } from './probe.ts'
import { type Measured, measure } from './record.ts'
import { type Model, plannedOf, predict, publishingOf, type Residual, residualsOf } from './residual.ts'
import type { Inject } from './round.ts'
import { Stage } from './stage.ts'
import { believable, type Judgement, judgementsOf } from './verdict.ts'

/** Runs the plan and keeps the valid rounds. */

export interface Outcome extends Extras {
  /** Start of the run. */
  readonly date: Date
  readonly settings: Settings
  readonly sections: readonly Section[]
  readonly rounds: readonly Measured[]
  /** Failed gates, each with a message. */
  readonly failures: readonly Failure[]
  /** Rounds that were repeated because the machine was disturbed. */
  readonly repeated: number
  readonly residuals: readonly Residual[]
  /** The warm-up of each server. */
  readonly heatings: readonly Heating[]
  /** Whether the run was interrupted. The rounds are those of complete blocks. */
  readonly partial: boolean
}

export interface RunOptions {
  /** Receives a line of progress. */
  readonly progress: (line: string) => void
  /** Stops the run, which returns the complete blocks. */
  readonly signal?: AbortSignal
  /** For tests. */
  readonly model?: Model
  readonly inject?: Inject
  readonly limits?: Limits
}

/** Estimated seconds: memory of idle subscribers, heating of a server, and a case of the hot CPU cost. */
const MEMORY = 60
const HEAT = 4
const HOT = 30

/** Estimates the seconds of these rounds and of the measurements after them. @param limits of a full run */
function secondsFor(settings: Settings, plans: Block, limits: Limits | undefined): number {
  const after = limits === undefined ? 0 : MEMORY + HOT + 3 * limits.ceiling
  const heating = settings.heat > 0 ? HEAT : 0
  return plans.reduce((sum, plan) => sum + secondsOf(plan), after + heating * serversOf(plans))
}

/** Maximum looks at the machine, of one second each, before a round is repeated. */
const LOOKS = 5

/** Whether the run includes all sections and the extra measurements. */
function isFull(settings: Settings): boolean {
  return !settings.quick && isOurs(settings) && settings.against === undefined
}

/** Estimates the seconds of a run without repetitions. */
export function needOf(settings: Settings, sections: readonly Section[]): number {
  const plans = sections.flatMap(({ blocks }) => blocks.flat())
  return secondsFor(settings, plans, isFull(settings) ? LIMITS : undefined)
}

/** @throws UsageError */
export async function run(settings: Settings, options: RunOptions): Promise<Outcome> {
  const {
    progress,
    signal = new AbortController().signal,
    model = predict,
    inject,
    limits = LIMITS,
  } = options
  const date = new Date()
  const full = isFull(settings)
  const { workload } = settings
  mayOpen(Math.max(workload.subscribers, ...(full ? limits.idle : [])) * (workload.rtt > 0 ? 2 : 1))
  if (settings.url !== undefined) await probe(settings.url)
  if (settings.against !== undefined) entryOf(settings.against)
  const sections = planOf(settings.target === undefined ? settings : await adapted(settings, settings.target))
  const stage = new Stage({ ...settings, inject, alone: full && limits.alone })
  const stop = () => stage.end()
  signal.addEventListener('abort', stop)
  const found = new Map<Block, Believed>()
  let extras: Extras = { memory: [], ceiling: [], hot: [] }
  try {
    const titles = new Map(
      sections.flatMap(({ title, blocks }) =>
        blocks.map((block, index) => [block, `${title}, round ${index + 1} of ${blocks.length}`] as const),
      ),
    )
    const secondsTo = (plans: Block) => secondsFor(settings, plans, full ? limits : undefined)
    const all = [...titles.keys()]
    const end = now() + Math.max(60 * settings.minutes, 1.1 * secondsTo(all.flat())) * 1e6
    const inTime = (plans: Block) => !signal.aborted && now() + secondsTo(plans) * 1e6 < end
    const calm = async (left: Block) => {
      progress(`Waiting for an undisturbed machine; ${clock(secondsTo(left))} left`)
      for (let i = 0; i < LOOKS && inTime(left) && (await stealNow()) > STEAL; i++);
    }
    await believed(
      all,
      async (plan, block, attempt, left) => {
        const again = ', repeated'.repeat(attempt)
        progress(`${titles.get(block)}: ${plan.variant.name}${again}; ${clock(secondsTo(left))} left`)
        return measure(await stage.run(plan), histogram)
      },
      found,
      { repeats: settings.quick ? 0 : limits.repeats, inTime, calm },
    )
    if (full) extras = await measureExtras(stage, settings, limits, (line) => progress(line))
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', stop)
    await stage.end()
  }
  // Restore the order of the plan.
  const kept = sections.flatMap(({ blocks }) => blocks.flatMap((block) => found.get(block) ?? []))
  const rounds = kept.flatMap((one) => one.rounds)
  return {
    date,
    settings,
    sections,
    rounds,
    failures: rounds.flatMap(failuresOf),
    repeated: kept.reduce((sum, one) => sum + one.repeated, 0),
    heatings: stage.heatings,
    ...extras,
    residuals: isOurs(settings) ? residualsIn(sections, rounds, model) : [],
    partial: signal.aborted,
  }
}

/** Returns the settings with the transports that the adapter supports. @throws UsageError */
async function adapted(settings: Settings, target: string): Promise<Settings> {
  const { readers } = await adapterOf(target)
  const variants = settings.variants.filter(({ kind }) => readers[kind!] !== undefined)
  if (variants.length === 0) {
    throw new UsageError(
      `--target '${target}' supports none of these --transports: it has ${Object.keys(readers).join(', ')}`,
    )
  }
  if (settings.workload.channels === 'each')
    throw new UsageError('--target supports a single channel: use --channels shared')
  return { ...settings, variants }
}

/** Files that a process opens beside its connections, with a margin. */
const FILES = 100

/** @throws UsageError if the limit of open files is too low */
function mayOpen(connections: number): void {
  const [files, most] = [connections + FILES, openFiles()]
  if (files <= most) return
  throw new UsageError(
    `${connections} connections need ${files} open files, but the limit is ${most}: run ulimit -n ${files}`,
  )
}

type Block = readonly RoundPlan[]

/** The rounds of a block to keep. */
export interface Believed {
  readonly rounds: readonly Measured[]
  /** Repeated rounds. */
  readonly repeated: number
}

/** Policy for disturbed rounds. */
export interface Patience<P> {
  /** Maximum repetitions of a round. */
  readonly repeats: number
  /** Whether there is time for these rounds. */
  inTime(plans: readonly P[]): boolean
  /** Resolves when the machine is undisturbed, or when the remaining rounds leave no time to wait. */
  calm(left: readonly P[]): Promise<void>
}

/**
 * Runs blocks. Repeats a disturbed round at once, after the machine has calmed down and while there is time: the rounds
 * of a block are compared, so they must run close to each other. Lost messages are an error even in a disturbed round.
 * @param run runs one round; `attempt` counts from 0, and `left` starts with the round itself
 * @param found receives the rounds to keep of each complete block
 */
export async function believed<P>(
  blocks: readonly (readonly P[])[],
  run: (plan: P, block: readonly P[], attempt: number, left: readonly P[]) => Promise<Measured>,
  found: Map<readonly P[], Believed>,
  { repeats, inTime, calm }: Patience<P>,
): Promise<void> {
  for (const [place, block] of blocks.entries()) {
    const rounds: Measured[] = []
    let repeated = 0
    for (const [index, plan] of block.entries()) {
      const left = [...block.slice(index), ...blocks.slice(place + 1).flat()]
      let measured = await run(plan, block, 0, left)
      for (let attempt = 1; attempt <= repeats; attempt++) {
        if (!isDisturbed(measured) || isLossy(measured) || !inTime(left)) break
        await calm(left)
        repeated++
        measured = await run(plan, block, attempt, left)
      }
      rounds.push(measured)
    }
    found.set(block, { rounds, repeated })
  }
}

/** Compares the model with all measurements. */
export function residualsIn(
  sections: readonly Section[],
  rounds: readonly Measured[],
  model: Model = predict,
): Residual[] {
  return sections.flatMap(({ name, blocks }) =>
    blocks[0]!.flatMap(({ variant, workload }) => {
      const own = rounds.filter((round) => round.section === name && round.variant === variant.name)
      const publishing = publishingOf(sections, rounds, workload)
      const plannedIn = ({ block }: Measured) => {
        const plan = blocks.flat().find((one) => one.block === block && one.variant.name === variant.name)
        return plan && plannedOf(plan)
      }
      return own.length === 0 ? [] : residualsOf(variant, workload, own, model, publishing, plannedIn)
    }),
  )
}

/** Returns the judgement of each section. */
export function judged({ sections, rounds, failures, residuals, heatings }: Outcome): Judgement[] {
  const cold = heatings.filter(({ settled }) => settled === false).map(({ variant }) => variant)
  return judgementsOf({ sections, rounds, failures, residuals, cold })
}

/** Whether the run is valid. */
export function passed(outcome: Outcome): boolean {
  return believable(judged(outcome))
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
