import type { Test } from 'tap'
import { isDisturbed } from '../../benchmarks/failures.ts'
import { type BenchOptions, parseBenchOptions } from '../../benchmarks/options.ts'
import { PUBLISH_ONLY } from '../../benchmarks/plan.ts'
import { type Outcome, type RunOptions, run } from '../../benchmarks/run.ts'
import { LOADER, UNCOVERED } from '../child.ts'

/** Flags of a small run: two subscribers, half a second. No test checks its timings. */
export const SMALL = [
  ...['--quick', '--subscribers', '2', '--rate', '20', '--rounds', '1'],
  ...['--duration', '0.5', '--warmup', '0.2', '--heat', '0', '--poll-interval', '100'],
]

export function small(...args: string[]): BenchOptions {
  return parseBenchOptions([...SMALL, ...args]) as BenchOptions
}

export function runs(options: BenchOptions, more: Partial<RunOptions> = {}): Promise<Outcome> {
  return run(options, { progress: () => {}, ...more })
}

/** Returns the failures, except late publishes, which a busy machine causes. */
export function wrong({ failures }: Outcome): string[] {
  return failures
    .filter(({ kind, text }) => kind === 'wrong' && !text.includes('planned publishes'))
    .map(({ text }) => text)
}

/** Checks everything that does not depend on the machine. */
export function looksRight(t: Test, outcome: Outcome): void {
  t.same(wrong(outcome), [])
  for (const round of outcome.rounds) {
    t.same([round.missed, round.duplicates, round.reordered], [0, 0, 0])
    t.ok(round.cpuPerSecond! > 0)
    if (round.variant === PUBLISH_ONLY || !['headline', 'rtt'].includes(round.section)) continue
    // On a starved machine, all messages may arrive after the window.
    if (round.deliveries === 0 && isDisturbed(round)) continue
    t.ok(round.deliveries > 0 && round.latency!.mean > 0 && round.cpuPerDelivery! > 0, round.variant)
    const { up, down, both, payload, envelope, overhead } = round.bytes!
    t.ok(Math.abs(up + down - payload - envelope - overhead) < 1e-6, 'the parts add up')
    t.equal(both, up + down)
    t.equal(payload, 200)
    // Time from accepting a message to its fan-out, and time to write: positive, and less than the total.
    const { turn, handed, active } = round.work!
    t.ok(turn > 0 && handed >= 0 && active > 0 && handed + turn < round.seconds)
  }
  // Sizes do not depend on the machine, so the model is exact.
  for (const { figure, variant, measured, model } of outcome.residuals) {
    if (figure !== 'bytes' || (variant !== 'ws' && variant !== 'sse')) continue
    t.ok(Math.abs(measured - model) < 6, `${variant}: ${measured} bytes, not ${model}`)
  }
}

/**
 * Loads child processes without tap's slow loaders until the end of the test. That records no coverage;
 * `processes.test.ts` runs all functions of the processes under tap's loader.
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

/** Of a round that nothing disturbed. */
export const QUALITY = {
  lenient: false,
  acceptedShare: 1,
  early: 0,
  lagP99: 0,
  lagShare: 0,
  proxyLagP99: 0,
  loadCore: 0,
  steal: 0,
  serverWaited: 0,
  serverRan: 0,
  cpuTold: 1,
  clockOff: 0,
  negative: 0,
}
