import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { pageOf } from './html.ts'
import { resultsOf } from './json.ts'
import { readBench } from './options.ts'
import { type Published, picture, resultsText, withResults } from './publication.ts'
import { report } from './report.ts'
import { passed, run } from './run.ts'

/** One run into the repository: `npm run bench:publish`. It takes the flags of bench, and is run in the root. */
const args = process.argv.slice(2)
const options = readBench(args)
if (options === 'help' || options.quick || options.url !== undefined) {
  process.stderr.write('npm run bench:publish takes the flags of bench, without --quick, --url and --help\n')
  process.exit(2)
}
const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort())
process.once('SIGTERM', () => interrupt.abort())
const outcome = await run(options, {
  signal: interrupt.signal,
  progress: (line) => process.stderr.write(`${line}\n`),
})
const text = report(outcome)
process.stdout.write(text)
if (outcome.partial) {
  process.stderr.write('Interrupted: nothing was written\n')
  process.exit(130)
}
// As it is in the file: what is read there later must give the same.
const json = `${JSON.stringify(resultsOf(outcome, new Date()), null, 1)}\n`
const results = JSON.parse(json) as Published
const folder = 'benchmarks/results'
await mkdir(folder, { recursive: true })
const command = ['npm run bench:publish', ...(args.length > 0 ? ['--', ...args] : [])].join(' ')
await writeFile(`${folder}/results.json`, json)
await writeFile(`${folder}/RESULTS.md`, resultsText(results, command, text))
await writeFile(`${folder}/results.html`, await pageOf(outcome))
await writeFile(`${folder}/cheapest.svg`, picture(results))
await writeFile('README.md', withResults(await readFile('README.md', 'utf8'), results))
process.exitCode = passed(outcome) ? 0 : 1
