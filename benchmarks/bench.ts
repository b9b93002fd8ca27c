import { open, writeFile } from 'node:fs/promises'
import { compareCheckouts } from './checkout-comparison.ts'
import { changesText, compareCommand } from './compare.ts'
import { doctorCommand } from './doctor.ts'
import { explanation } from './explain.ts'
import { htmlReport } from './html.ts'
import { resultsOf } from './json.ts'
import { BENCH_HELP, parseBenchOptions, UsageError } from './options.ts'
import { overviewText } from './overview.ts'
import { report } from './report.ts'
import { passed, type RunOptions, run } from './run.ts'

interface Output extends Omit<RunOptions, 'signal' | 'progress'> {
  readonly print: (text: string) => unknown
  readonly progress: (line: string) => unknown
}

/**
 * Runs the command `bench`.
 * @param print receives the output, `progress` the progress lines; the other parameters are for tests
 * @returns the exit code: 0 if the run is valid, 1 if not, 130 after Ctrl-C
 * @throws UsageError
 */
export async function bench(
  args: string[],
  {
    print = (text) => process.stdout.write(text),
    progress = (line) => process.stderr.write(`${line}\n`),
    ...more
  }: Partial<Output> = {},
): Promise<number> {
  if (args[0] === 'compare') return compareCommand(args.slice(1), print)
  if (args[0] === 'doctor') return doctorCommand(args.slice(1), print)
  const options = parseBenchOptions(args)
  if (options === 'help') {
    print(BENCH_HELP)
    return 0
  }
  if (options.explain) {
    print(explanation())
    return 0
  }
  // Check before a run that takes minutes.
  await writable('--json', options.json)
  await writable('--html', options.html)
  const interrupt = new AbortController()
  const stop = () => interrupt.abort()
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    const outcome = await run(options, { ...more, progress, signal: interrupt.signal })
    print(options.verbose ? report(outcome) : overviewText(outcome))
    if (!options.verbose) print('See --verbose, --html FILE or --json FILE for all figures.\n')
    if (options.json !== undefined) {
      await writeFile(options.json, `${JSON.stringify(resultsOf(outcome), null, 1)}\n`)
    }
    if (options.html !== undefined) await writeFile(options.html, await htmlReport(outcome))
    if (outcome.partial) return 130
    const changes = compareCheckouts(outcome)
    if (changes.length > 0) print(`This checkout relative to ${options.against}:\n${changesText(changes)}`)
    return passed(outcome) && changes.every(({ verdict }) => verdict !== 'worse') ? 0 : 1
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

/** @throws UsageError if the file can't be written */
async function writable(flag: string, file: string | undefined): Promise<void> {
  if (file === undefined) return
  try {
    await (await open(file, 'a')).close()
  } catch (error) {
    throw new UsageError(`${flag} '${file}' can't be written (${(error as NodeJS.ErrnoException).code})`)
  }
}
