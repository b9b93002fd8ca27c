// How soon the default client is there behind each proxy with the proxy's own defaults: npm run bench:proxies
import { show, table } from '../../benchmarks/table.ts'
import { find } from '../needs.ts'
import { run } from './course.ts'
import { KINDS } from './kinds.ts'

const HEAD = [
  'proxy, default configuration',
  'first message, ms',
  'tried before it',
  'delay then, ms: half within',
  'at most',
  'all there after a restart, ms',
  'over',
]

const rows: string[][] = []
for (const kind of KINDS) {
  for (const { name, configure, patience = 0 } of kind.plain) {
    if (find(kind.program) === undefined) {
      console.error(`${kind.program} is not found: ${name} is left out`)
      continue
    }
    const ends: (() => unknown)[] = []
    const course = await run(
      { teardown: (end: () => unknown) => void ends.push(end) },
      kind,
      configure,
      patience * 1.1,
    )
    for (const end of ends.reverse()) await end()
    const { first, tried, median, most, back, transport } = course
    rows.push([name, show(first), tried.join(', '), show(median), show(most), show(back), transport])
    console.error(`${name}: ${show(first)} ms`)
  }
}
console.log(table(HEAD, rows))
