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
import { type Model, predict, publishingOf, type Residual, residualsOf } from './residual.ts'
import type { Inject } from './round.ts'
import { Stage } from './stage.ts'
import { believable, type Judgement, judgementsOf } from './verdict.ts'

/** Runs what is planned, and keeps what can be believed. */

export interface Outcome extends Extras {
  /** When it was begun. */
  readonly date: Date
  readonly settings: Settings
  readonly sections: readonly Section[]
  readonly rounds: readonly Measured[]
  /** What stands against the run: each says so aloud. */
  readonly failures: readonly Failure[]
  /** Rounds that were run again, since the machine was disturbed. */
  readonly repeated: number
  readonly residuals: readonly Residual[]
  /** How the servers became hot. */
  readonly heatings: readonly Heating[]
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

/** Seconds that the memory of idle subscribers takes, the heating of a server, and a case of what hot servers take. */
const MEMORY = 60
const HEAT = 4
const HOT = 30

/** @param limits of a full run @returns roughly what these rounds take, and what comes behind them, in seconds */
function secondsFor(settings: Settings, plans: Block, limits: Limits | undefined): number {
  const after = limits === undefined ? 0 : MEMORY + HOT + 3 * limits.ceiling
  const heating = settings.heat > 0 ? HEAT : 0
  return plans.reduce((sum, plan) => sum + secondsOf(plan), after + heating * serversOf(plans))
}

/** Whether all sections and what is measured beside them are run. */
function isFull(settings: Settings): boolean {
  return !settings.quick && isOurs(settings) && settings.against === undefined
}

/** Roughly what a run takes, in seconds, with nothing repeated. */
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
      do progress(`Is the machine our own? ${clock(secondsTo(left))} left`)
      while (inTime(left) && (await stealNow()) > STEAL)
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
  // In the order of the plan.
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

/** The settings, with those transports that an adapter has. @throws UsageError */
async function adapted(settings: Settings, target: string): Promise<Settings> {
  const { readers } = await adapterOf(target)
  const variants = settings.variants.filter(({ kind }) => readers[kind!] !== undefined)
  if (variants.length === 0) {
    throw new UsageError(
      `--target '${target}' has none of these --transports: it has ${Object.keys(readers).join(', ')}`,
    )
  }
  if (settings.workload.channels === 'each')
    throw new UsageError('--target has one channel: --channels shared')
  return { ...settings, variants }
}

/** Files that a process has open beside its connections, roughly. */
const FILES = 100

/** @throws UsageError where a process may not hold so many connections */
function mayOpen(connections: number): void {
  const [files, most] = [connections + FILES, openFiles()]
  if (files <= most) return
  throw new UsageError(
    `${connections} connections need ${files} open files, and ${most} are allowed: raise that by ulimit -n ${files}`,
  )
}

type Block = readonly RoundPlan[]

/** A block's rounds, as they are kept. */
export interface Believed {
  readonly rounds: readonly Measured[]
  /** Rounds that were run again. */
  readonly repeated: number
}

/** How a machine is met that has other things to do. */
export interface Patience<P> {
  /** How often a round is run again, at most. */
  readonly repeats: number
  /** Whether there is time for all these. */
  inTime(plans: readonly P[]): boolean
  /** Resolves when nothing disturbs it any more, or these, which are still to be run, leave no time to wait for that. */
  calm(left: readonly P[]): Promise<void>
}

/**
 * Runs blocks. A round that the machine has disturbed is run again at once, when the machine is calm and while there is
 * time: the rounds of a block are compared with each other, and must lie near each other. What was lost stays lost.
 * @param run one round; `attempt` counts from 0, and `left` begins with it
 * @param found takes what is kept of each block that is complete
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

/** What may be said of each section. */
export function judged({ sections, rounds, failures, residuals, heatings }: Outcome): Judgement[] {
  const cold = heatings.filter(({ settled }) => settled === false).map(({ variant }) => variant)
  return judgementsOf({ sections, rounds, failures, residuals, cold })
}

/** Whether the run can be believed. */
export function passed(outcome: Outcome): boolean {
  return believable(judged(outcome))
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
