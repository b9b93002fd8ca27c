import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { advise } from '../../benchmarks/advise.ts'
import { bench } from '../../benchmarks/bench.ts'
import { COLUMNS, NUMBERED, TERMS } from '../../benchmarks/explain.ts'
import type { PublishedResults } from '../../benchmarks/publication.ts'
import { report } from '../../benchmarks/report.ts'
import { outcomeOf } from '../../benchmarks/stored-results.ts'
import { ROOT } from '../child.ts'

/** The published run has all tables. */
const FILE = join(ROOT, 'benchmarks', 'results', 'results.json')
const outcome = outcomeOf(JSON.parse(readFileSync(FILE, 'utf8')) as PublishedResults)

async function output(command: (print: (text: string) => void) => Promise<number>): Promise<string> {
  let out = ''
  await command((text) => {
    out += text
  })
  return out
}

const compare = (...files: string[]) => output((print) => bench(['compare', ...files], { print }))

/** Returns the names of all columns of the tables in a text, without the mark of a footnote. */
function headsOf(text: string): string[] {
  const lines = [...text.matchAll(/^┌.*\n│(.*)│$/gm)].flatMap(([, line]) => line!.split('│'))
  return [...new Set(lines.map((name) => name.trim().replace(/ \*$/, '')))]
}

t.test('every column of every table is defined, and every definition has a column', async (t) => {
  const advice = ['--results', FILE, '--subscribers', '100000']
  const tables = {
    report: report(outcome),
    compare: (await compare(FILE, FILE)) + (await compare(FILE, FILE, FILE)),
    advise: await output((print) => advise(advice, print)),
  }
  const isNumbered = (name: string) => NUMBERED.some(([pattern]) => pattern.test(name))
  for (const [table, text] of Object.entries(tables)) {
    const heads = headsOf(text).filter((name) => name !== FILE && !isNumbered(name))
    t.same(heads.toSorted(), Object.keys(COLUMNS[table as keyof typeof COLUMNS]).toSorted(), table)
  }
  for (const [pattern] of NUMBERED) t.ok(headsOf(tables.report).some((name) => pattern.test(name)))
})

t.test('--explain prints all definitions in lines that fit', async (t) => {
  const out = await output((print) => bench(['--explain'], { print }))
  t.match(out, /p99 ms +99 of 100 messages arrived within/)
  const text = out.replaceAll(/\s+/g, ' ')
  for (const definitions of [TERMS, ...Object.values(COLUMNS)]) {
    for (const [name, definition] of Object.entries(definitions))
      t.ok(text.includes(`${name} ${definition}`), name)
  }
  t.ok(out.split('\n').every((line) => line.length <= 120))
})

t.test('words of the report that need a definition have one', async (t) => {
  const text = report(outcome)
  for (const [word, term] of [
    ['undisturbed', 'disturbed round'],
    ['INCONCLUSIVE', 'inconclusive'],
    ['no significant difference', 'no significant difference'],
    ['equivalent', 'equivalent'],
    ['publish only', 'publish only'],
    ['ws, repeated', 'ws, repeated'],
    ['round', 'round'],
    ['95 % CI', '95 % CI'],
  ] as const) {
    t.ok(text.includes(word) && term in TERMS, word)
  }
})
