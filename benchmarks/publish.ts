import { readFile, writeFile } from 'node:fs/promises'
import { htmlReport } from './html.ts'
import { resultsOf } from './json.ts'
import { type BenchOptions, parseBenchOptions } from './options.ts'
import { cheapestPicture, type PublishedResults, resultsText, withResults } from './publication.ts'
import { report } from './report.ts'
import { passed, run } from './run.ts'
import { outcomeOf } from './stored-results.ts'

/**
 * Runs the benchmark and writes the results to the repository: `npm run bench:publish`, in the root folder, with the
 * flags of bench. `--again` measures nothing: it derives all pages again from the rounds in `results.json`.
 */

const FOLDER = 'benchmarks/results'

async function measured(args: string[], options: BenchOptions): Promise<void> {
  const interrupt = new AbortController()
  process.once('SIGINT', () => interrupt.abort())
  process.once('SIGTERM', () => interrupt.abort())
  const outcome = await run(options, {
    signal: interrupt.signal,
    progress: (line) => process.stderr.write(`${line}\n`),
  })
  process.stdout.write(report(outcome))
  if (outcome.partial) {
    process.stderr.write('Interrupted: nothing was written\n')
    process.exit(130)
  }
  await write({ ...resultsOf(outcome), args })
}

/** A line for each value, and one for each list of numbers: a latency sketch has hundreds. */
function textOf(results: PublishedResults): string {
  const lines = JSON.stringify(results, null, 1)
  return `${lines.replace(/\[[-\d.e+,\s]+\]/g, (numbers) => numbers.replace(/\s+/g, ''))}\n`
}

const write = (results: PublishedResults) => writeFile(`${FOLDER}/results.json`, textOf(results))
const read = async () => JSON.parse(await readFile(`${FOLDER}/results.json`, 'utf8')) as PublishedResults
const given = process.argv.slice(2)
const named = given.some((arg) => /^--(again|header-profile)\b/.test(arg))
// The map uses the headers of a browser, so the table does too, unless a flag overrides it.
const args = named ? given : ['--header-profile', 'browser', ...given]
if (args[0] !== '--again') {
  const options = parseBenchOptions(args)
  if (options === 'help' || options.quick || options.url !== undefined) {
    process.stderr.write(
      'bench:publish takes the flags of bench except --quick, --url and --help; or --again alone\n',
    )
    process.exit(2)
  }
  await measured(args, options)
}
const before = await read()
const outcome = outcomeOf(before)
const { versions, args: flags } = before
const results = { ...resultsOf(outcome), versions, args: flags }
await write(results)
await writeFile(`${FOLDER}/RESULTS.md`, resultsText(results, report(outcome)))
await writeFile(`${FOLDER}/results.html`, await htmlReport(outcome))
await writeFile(`${FOLDER}/cheapest.svg`, cheapestPicture(results))
await writeFile('README.md', withResults(await readFile('README.md', 'utf8'), results))
process.exitCode = passed(outcome) ? 0 : 1
