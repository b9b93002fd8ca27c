import { type BenchOptions, readBench } from '../../benchmarks/options.ts'
import { type Outcome, type RunOptions, run } from '../../benchmarks/run.ts'

/** Small: two subscribers, half a second. What it says of time is looked at by no test. */
export const SMALL = [
  ...['--quick', '--subscribers', '2', '--rate', '20', '--rounds', '1'],
  ...['--duration', '0.5', '--warmup', '0.2', '--poll-interval', '100'],
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
