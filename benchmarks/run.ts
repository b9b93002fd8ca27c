import { adapterOf } from './adapters/adapter.ts'
import { checkApp } from './app-check.ts'
import { type Capacity, measureCapacity } from './capacity.ts'
import { entryOf } from './checkout.ts'
import { now } from './clock.ts'
import { type Failure, failuresOf, isDisturbed, isLossy, STEAL } from './failures.ts'
import { FULL_RUN, type FullRunParameters } from './full-run.ts'
import { hdrHistogram } from './hdr-histogram.ts'
import { type Machine, machine, measureSteal, openFiles } from './machine.ts'
import { UsageError } from './options.ts'
import {
  isOwnServer,
  planOf,
  type RoundPlan,
  type Section,
  type Settings,
  secondsOf,
  serversOf,
} from './plan.ts'
import {
  knownScheduleOf,
  type Model,
  predict,
  publishCostOf,
  type Residual,
  residualsOf,
} from './residual.ts'
import type { FaultInjection } from './round.ts'
import { measure, type RoundResult } from './round-result.ts'
import type { ServerWarmup } from './server-warmup.ts'
import { Testbed } from './testbed.ts'
import { isValid, type SectionValidity, validityOf } from './validity.ts'

/** Runs the plan and keeps the valid rounds. */

export interface Outcome extends Capacity {
  /** Start of the run. */
  readonly date: Date
  /** The machine of the run. */
  readonly machine: Machine
  readonly settings: Settings
  readonly sections: readonly Section[]
  readonly rounds: readonly RoundResult[]
  /** Conditions of a valid run that were not met, each with a message. */
  readonly failures: readonly Failure[]
  /** Rounds that were repeated because the machine was disturbed. */
  readonly repeated: number
  readonly residuals: readonly Residual[]
  /** The warm-up of each server. */
  readonly heatings: readonly ServerWarmup[]
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
  readonly faultInjection?: FaultInjection
  readonly fullRun?: FullRunParameters
}

/** Estimated seconds: memory of idle subscribers, warm-up of a server, and a case of the CPU per delivery. */
const MEMORY = 60
const SERVER_WARMUP = 4
const DELIVERY_CPU = 30

/** Estimates the seconds of these rounds and of the capacity measurements. @param fullRun undefined: none of these */
function estimate(settings: Settings, plans: Block, fullRun: FullRunParameters | undefined): number {
  const after = fullRun === undefined ? 0 : MEMORY + DELIVERY_CPU + 3 * fullRun.throughputSeconds
  const warmup = settings.heat > 0 ? SERVER_WARMUP : 0
  return plans.reduce((sum, plan) => sum + secondsOf(plan), after + warmup * serversOf(plans))
}

/** Maximum checks of the machine, of one second each, before a round is repeated. */
const MAX_CHECKS = 5

/** Whether the run includes all sections and the capacity measurements. */
function isFull(settings: Settings): boolean {
  return !settings.quick && isOwnServer(settings) && settings.against === undefined
}

/** Estimates the seconds of a run without repetitions. */
export function estimatedSeconds(settings: Settings, sections: readonly Section[]): number {
  const plans = sections.flatMap(({ blocks }) => blocks.flat())
  return estimate(settings, plans, isFull(settings) ? FULL_RUN : undefined)
}

/** @throws UsageError */
export async function run(settings: Settings, options: RunOptions): Promise<Outcome> {
  const {
    progress,
    signal = new AbortController().signal,
    model = predict,
    faultInjection,
    fullRun = FULL_RUN,
  } = options
  const date = new Date()
  const full = isFull(settings)
  const { workload } = settings
  mayOpen(
    Math.max(workload.subscribers, ...(full ? fullRun.idleSubscribers : [])) * (workload.rtt > 0 ? 2 : 1),
  )
  if (settings.url !== undefined) await checkApp(settings.url)
  if (settings.against !== undefined) entryOf(settings.against)
  const sections = planOf(settings.target === undefined ? settings : await adapted(settings, settings.target))
  const testbed = new Testbed({
    ...settings,
    faultInjection,
    dedicatedMachine: full && fullRun.dedicatedMachine,
  })
  const stop = () => testbed.end()
  signal.addEventListener('abort', stop)
  const completed = new Map<Block, CompletedBlock>()
  let capacity: Capacity = { memory: [], ceiling: [], hot: [] }
  try {
    const titles = new Map(
      sections.flatMap(({ title, blocks }) =>
        blocks.map((block, index) => [block, `${title}, round ${index + 1} of ${blocks.length}`] as const),
      ),
    )
    const secondsTo = (plans: Block) => estimate(settings, plans, full ? fullRun : undefined)
    const all = [...titles.keys()]
    const end = now() + Math.max(60 * settings.minutes, 1.1 * secondsTo(all.flat())) * 1e6
    const inTime = (plans: Block) => !signal.aborted && now() + secondsTo(plans) * 1e6 < end
    const waitForCalm = async (left: Block) => {
      progress(`Waiting for an undisturbed machine; ${clock(secondsTo(left))} left`)
      for (let i = 0; i < MAX_CHECKS && inTime(left) && (await measureSteal()) > STEAL; i++);
    }
    await runBlocks(
      all,
      async (plan, block, attempt, left) => {
        const again = ', repeated'.repeat(attempt)
        progress(`${titles.get(block)}: ${plan.variant.name}${again}; ${clock(secondsTo(left))} left`)
        return measure(await testbed.run(plan), hdrHistogram)
      },
      completed,
      { maxRetries: settings.quick ? 0 : fullRun.maxRetries, inTime, waitForCalm },
    )
    if (full) capacity = await measureCapacity(testbed, settings, fullRun, (line) => progress(line))
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', stop)
    await testbed.end()
  }
  // Restore the order of the plan.
  const kept = sections.flatMap(({ blocks }) => blocks.flatMap((block) => completed.get(block) ?? []))
  const rounds = kept.flatMap((one) => one.rounds)
  return {
    date,
    machine: machine(),
    settings,
    sections,
    rounds,
    failures: rounds.flatMap(failuresOf),
    repeated: kept.reduce((sum, one) => sum + one.repeated, 0),
    heatings: testbed.heatings,
    ...capacity,
    residuals: isOwnServer(settings) ? residualsIn(sections, rounds, model) : [],
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
export interface CompletedBlock {
  readonly rounds: readonly RoundResult[]
  /** Repeated rounds. */
  readonly repeated: number
}

/** When to repeat a disturbed round. */
export interface RetryPolicy<P> {
  /** Maximum repetitions of a round. */
  readonly maxRetries: number
  /** Whether there is time for these rounds. */
  inTime(plans: readonly P[]): boolean
  /** Resolves when the machine is undisturbed, or when the remaining rounds leave no time to wait. */
  waitForCalm(left: readonly P[]): Promise<void>
}

/**
 * Runs blocks. Repeats a disturbed round at once, after the machine has calmed down and while there is time: the rounds
 * of a block are compared, so they must run close to each other. Lost messages are an error even in a disturbed round.
 * @param run runs one round; `attempt` counts from 0, and `left` starts with the round itself
 * @param completed receives the rounds to keep of each complete block
 */
export async function runBlocks<P>(
  blocks: readonly (readonly P[])[],
  run: (plan: P, block: readonly P[], attempt: number, left: readonly P[]) => Promise<RoundResult>,
  completed: Map<readonly P[], CompletedBlock>,
  { maxRetries, inTime, waitForCalm }: RetryPolicy<P>,
): Promise<void> {
  for (const [place, block] of blocks.entries()) {
    const rounds: RoundResult[] = []
    let repeated = 0
    for (const [index, plan] of block.entries()) {
      const left = [...block.slice(index), ...blocks.slice(place + 1).flat()]
      let measured = await run(plan, block, 0, left)
      for (let attempt = 1; attempt <= maxRetries; attempt++) {
        if (!isDisturbed(measured) || isLossy(measured) || !inTime(left)) break
        await waitForCalm(left)
        repeated++
        measured = await run(plan, block, attempt, left)
      }
      rounds.push(measured)
    }
    completed.set(block, { rounds, repeated })
  }
}

/** Compares the model with all measurements. */
export function residualsIn(
  sections: readonly Section[],
  rounds: readonly RoundResult[],
  model: Model = predict,
): Residual[] {
  return sections.flatMap(({ name, blocks }) =>
    blocks[0]!.flatMap(({ variant, workload }) => {
      const own = rounds.filter((round) => round.section === name && round.variant === variant.name)
      const publishCost = publishCostOf(sections, rounds, workload)
      const scheduleOf = ({ block }: RoundResult) => {
        const plan = blocks.flat().find((one) => one.block === block && one.variant.name === variant.name)
        return plan && knownScheduleOf(plan)
      }
      return own.length === 0 ? [] : residualsOf(variant, workload, own, model, publishCost, scheduleOf)
    }),
  )
}

/** Returns the validity of each section. */
export function sectionValidity({
  sections,
  rounds,
  failures,
  residuals,
  heatings,
}: Outcome): SectionValidity[] {
  const cold = heatings.filter(({ settled }) => settled === false).map(({ variant }) => variant)
  return validityOf({ sections, rounds, failures, residuals, cold })
}

/** Whether the run is valid. */
export function passed(outcome: Outcome): boolean {
  return isValid(sectionValidity(outcome))
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
