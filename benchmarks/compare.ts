import { readFile } from 'node:fs/promises'
import { undisturbedOf } from './failures.ts'
import { FORMAT, type Results } from './json.ts'
import { UsageError } from './options.ts'
import { AA_CONTROL, PUBLISH_ONLY } from './plan.ts'
import type { RoundResult } from './round-result.ts'
import { type Estimate, medianEstimate, TIE, verdictOf, verdictText } from './statistics.ts'
import { counted, show, table } from './table.ts'

/** Compares two runs, or shows the spread of several. */

/** Figures of a round; lower is better. `machine`: only comparable on the same machine. */
const FIGURES = {
  'latency p50, ms': { of: ({ latency }: RoundResult) => latency?.p50 ?? null, machine: true },
  'latency p99, ms': { of: ({ latency }: RoundResult) => latency?.p99 ?? null, machine: true },
  'server CPU, µs': { of: ({ cpuPerDelivery }: RoundResult) => cpuPerDelivery, machine: true },
  bytes: { of: ({ bytes }: RoundResult) => bytes?.both ?? null, machine: false },
  requests: { of: ({ requests }: RoundResult) => requests, machine: false },
} as const
type Figure = keyof typeof FIGURES
const NAMES = Object.keys(FIGURES) as Figure[]

type Run = Pick<Results, 'rounds' | 'machine' | 'settings' | 'passed'>

/** One figure of one transport in every run. */
interface Line {
  readonly variant: string
  readonly figure: Figure
  readonly estimates: readonly Estimate[]
}

function linesOf(runs: readonly Run[]): Line[] {
  const of = ({ rounds }: Run, variant: string) =>
    undisturbedOf(rounds.filter((round) => round.section === 'headline' && round.variant === variant))
  const [first] = runs
  return first!.settings.variants
    .filter((variant) => variant !== AA_CONTROL && variant !== PUBLISH_ONLY)
    .flatMap((variant) =>
      NAMES.flatMap((figure): Line[] => {
        const estimates = runs.flatMap((run) => {
          const values = of(run, variant)
            .map(FIGURES[figure].of)
            .filter((value) => value !== null)
          return values.length === 0 ? [] : [medianEstimate(values)]
        })
        return estimates.length < runs.length ? [] : [{ variant, figure, estimates }]
      }),
    )
}

export interface Change {
  readonly variant: string
  readonly figure: string
  readonly ratio: Estimate
  /** `worse`: the whole interval lies above one, and the change exceeds a tie. */
  readonly verdict: 'better' | 'worse' | 'tie' | 'not distinguished'
}

/** Compares the second run with the first. The interval covers the uncertainty of both. */
export function changesOf(before: Run, after: Run): Change[] {
  const alike = sameMachine(before, after)
  return linesOf([before, after])
    .filter(({ figure }) => alike || !FIGURES[figure].machine)
    .map(({ variant, figure, estimates }) => {
      const [one, two] = estimates as [Estimate, Estimate]
      const over = (a: number | null, b: number | null) =>
        a === null || b === null || b === 0 ? null : a / b
      const ratio = {
        value: two.value / one.value,
        low: over(two.low, one.high),
        high: over(two.high, one.low),
      }
      return { variant, figure, ratio, verdict: changeVerdict(ratio) }
    })
}

/** Returns the verdict for a ratio of new to old. */
export function changeVerdict(ratio: Estimate): Change['verdict'] {
  const verdict = verdictOf(ratio)
  if (verdict === 'tie' || verdict === 'not distinguished') return verdict
  if (Math.abs(ratio.value - 1) <= TIE) return 'tie'
  return verdict === 'higher' ? 'worse' : 'better'
}

function sameMachine(one: Run, two: Run): boolean {
  const of = ({ machine: { cpu, cores, node } }: Run) => `${cpu}, ${cores}, ${node}`
  return of(one) === of(two)
}

const HELP = `fastify-tidings-bench compare: compare runs

Usage: fastify-tidings-bench compare BEFORE.json AFTER.json [MORE.json ...]

The files are output of bench --json. With two files, the exit code is 1 if a figure got worse by more than its
confidence interval and ${TIE * 100} %. With more files, the output shows the spread of the runs
and whether their confidence intervals overlap. To compare two checkouts more
precisely, run both in alternation: bench --against.
`

/** Runs the command `bench compare`. @returns 0, or 1 if the second run is worse @throws UsageError */
export async function compareCommand(args: string[], print: (text: string) => unknown): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    print(HELP)
    return 0
  }
  if (args.length < 2 || args.some((arg) => arg.startsWith('-'))) {
    throw new UsageError('bench compare takes two or more files of bench --json: see bench compare --help')
  }
  const runs = await Promise.all(args.map(readRun))
  const key = ({ settings }: Run) => {
    const { subscribers, channels, rate, payload, profile, rtt, heat, duration } = settings
    return JSON.stringify({ subscribers, channels, rate, payload, profile, rtt, heat, duration })
  }
  if (new Set(runs.map(key)).size > 1) {
    throw new UsageError(
      `These runs have different settings and can't be compared: ${runs.map(key).join(' ')}`,
    )
  }
  for (const [i, { passed }] of runs.entries()) {
    if (!passed) print(`${args[i]} did not pass: do not cite its figures.\n`)
  }
  if (runs.some((run) => !sameMachine(runs[0]!, run)))
    print('Different machines: latency and CPU are not compared.\n')
  if (runs.length > 2) {
    print(spreadText(args, runs))
    return 0
  }
  const [before, after] = runs as [Run, Run]
  const changes = changesOf(before, after)
  print(changesText(changes))
  return changes.some(({ verdict }) => verdict === 'worse') ? 1 : 0
}

function changeText(verdict: Change['verdict']): string {
  return verdict === 'better' || verdict === 'worse' ? verdict : verdictText(verdict)
}

export function changesText(changes: readonly Change[]): string {
  const worse = changes.filter(({ verdict }) => verdict === 'worse').length
  return `${table(
    ['transport', 'metric', 'after / before', '95 % CI', 'verdict'],
    changes.map(({ variant, figure, ratio, verdict }) => [
      variant,
      figure,
      show(ratio.value),
      `${show(ratio.low)} to ${show(ratio.high)}`,
      changeText(verdict),
    ]),
  )}${worse === 0 ? '✓ nothing got worse' : `✗ ${counted(worse, 'figure', 'figures')} got worse`}\n`
}

/** Whether a value lies in the intervals of all runs. Null if some have no interval. */
function overlap(estimates: readonly Estimate[]): boolean | null {
  const [lows, highs] = [estimates.map(({ low }) => low), estimates.map(({ high }) => high)]
  if (lows.includes(null) || highs.includes(null)) return null
  return Math.max(...(lows as number[])) <= Math.min(...(highs as number[]))
}

/**
 * Prints runs side by side, with the ratio of the highest figure to the lowest. Runs whose intervals do not overlap
 * differ by more than the spread between their rounds.
 */
export function spreadText(names: readonly string[], runs: readonly Run[]): string {
  const alike = runs.every((run) => sameMachine(runs[0]!, run))
  const lines = linesOf(runs).filter(({ figure }) => alike || !FIGURES[figure].machine)
  const apart = lines.filter(({ estimates }) => overlap(estimates) === false).length
  const text = table(
    ['transport', 'metric', ...names, 'max / min', 'CIs overlap'],
    lines.map(({ variant, figure, estimates }) => {
      const values = estimates.map(({ value }) => value)
      return [
        variant,
        figure,
        ...estimates.map(({ value, low, high }) =>
          low === null ? show(value) : `${show(value)} [${show(low)}, ${show(high)}]`,
        ),
        show(Math.max(...values) / Math.min(...values)),
        { true: 'yes', false: 'no', null: '–' }[`${overlap(estimates)}`],
      ]
    }),
  )
  return `${text}${apart === 0 ? '✓ the confidence intervals of all runs overlap' : `✗ The confidence intervals of ${counted(apart, 'figure', 'figures')} do not overlap`}\n`
}

/** @throws UsageError if the file is not a results file of this format */
async function readRun(file: string): Promise<Run> {
  let results: Partial<Results>
  try {
    results = JSON.parse(await readFile(file, 'utf8')) as Partial<Results>
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(`'${file}' can't be read (${code ?? 'not JSON'})`)
  }
  if (results.format === FORMAT) return results as Run
  throw new UsageError(
    `'${file}' is not output of this version's bench --json (format ${results.format}, not ${FORMAT})`,
  )
}
