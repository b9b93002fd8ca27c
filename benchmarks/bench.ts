import { writeFile } from 'node:fs/promises'
import { pageOf } from './html.ts'
import { resultsOf } from './json.ts'
import { BENCH_HELP, readBench } from './options.ts'
import { uplotFiles } from './peers.ts'
import { report } from './report.ts'
import { passed, run } from './run.ts'

/**
 * The command `bench`.
 * @returns the program's exit code: 0 where the figures can be believed, 1 where not, 130 after Ctrl-C
 * @throws UsageError, MissingPeer
 */
export async function bench(args: string[]): Promise<number> {
  const options = readBench(args)
  if (options === 'help') {
    process.stdout.write(BENCH_HELP)
    return 0
  }
  // What is missing is said before anything runs.
  if (options.html !== undefined) await uplotFiles()
  const interrupt = new AbortController()
  const stop = () => interrupt.abort()
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    const outcome = await run(options, {
      signal: interrupt.signal,
      progress: (line) => process.stderr.write(`${line}\n`),
    })
    process.stdout.write(report(outcome))
    if (options.json !== undefined) {
      await writeFile(options.json, `${JSON.stringify(resultsOf(outcome, new Date()), null, 1)}\n`)
    }
    if (options.html !== undefined) await writeFile(options.html, await pageOf(outcome))
    if (outcome.partial) return 130
    /* c8 ignore next -- which one hangs on how busy the machine is */
    return passed(outcome) ? 0 : 1
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}
