import type { Test } from 'tap'
import { isDisturbed } from '../../benchmarks/gates.ts'
import { type BenchOptions, readBench } from '../../benchmarks/options.ts'
import { PUBLISH_ONLY } from '../../benchmarks/plan.ts'
import { type Outcome, type RunOptions, run } from '../../benchmarks/run.ts'
import { LOADER, UNCOVERED } from '../child.ts'

/** Small: two subscribers, half a second. What it says of time is looked at by no test. */
export const SMALL = [
  ...['--quick', '--subscribers', '2', '--rate', '20', '--rounds', '1'],
  ...['--duration', '0.5', '--warmup', '0.2', '--heat', '0', '--poll-interval', '100'],
]

export function small(...args: string[]): BenchOptions {
  return readBench([...SMALL, ...args]) as BenchOptions
}

export function runs(options: BenchOptions, more: Partial<RunOptions> = {}): Promise<Outcome> {
  return run(options, { progress: () => {}, ...more })
}

/** What is wrong but for publishes that came late: a busy machine does that. */
export function wrong({ failures }: Outcome): string[] {
  return failures
    .filter(({ kind, text }) => kind === 'wrong' && !text.includes('planned publishes'))
    .map(({ text }) => text)
}

/** What no machine may spoil. */
export function looksRight(t: Test, outcome: Outcome): void {
  t.same(wrong(outcome), [])
  for (const round of outcome.rounds) {
    t.same([round.missed, round.duplicates, round.reordered], [0, 0, 0])
    t.ok(round.cpuPerSecond! > 0)
    if (round.variant === PUBLISH_ONLY || !['headline', 'rtt'].includes(round.section)) continue
    // A machine that gives it no time: what came, came after the window.
    if (round.deliveries === 0 && isDisturbed(round)) continue
    t.ok(round.deliveries > 0 && round.latency!.mean > 0 && round.cpuPerDelivery! > 0, round.variant)
    const { up, down, both, payload, envelope, overhead } = round.bytes!
    t.ok(Math.abs(up + down - payload - envelope - overhead) < 1e-6, 'the parts are the whole')
    t.equal(both, up + down)
    t.equal(payload, 200)
    // From taking a message to handing it on, and a write to each: something, and less than all of the time.
    const { turn, handed, active } = round.work!
    t.ok(turn > 0 && handed >= 0 && active > 0 && handed + turn < round.seconds)
  }
  // Sizes have nothing to do with the machine: the model must hold to the byte.
  for (const { figure, variant, measured, model } of outcome.residuals) {
    if (figure !== 'bytes' || (variant !== 'ws' && variant !== 'sse')) continue
    t.ok(Math.abs(measured - model) < 6, `${variant}: ${measured} bytes, not ${model}`)
  }
}

/**
 * Until this test is over, processes that are forked are loaded without tap's loaders, which take their time: they don't
 * tell what they covered. `processes.test.ts` has them do all that they do under tap's.
 */
export function quickForks(t: Test): void {
  const { execArgv } = process
  const before = Object.keys(UNCOVERED).map((name) => [name, process.env[name]] as const)
  process.execArgv = LOADER
  Object.assign(process.env, UNCOVERED)
  t.teardown(() => {
    process.execArgv = execArgv
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
}
