import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { IDLE, memoryOf } from '../../../benchmarks/model/memory.ts'
import { ROOT } from '../../child.ts'

interface Row {
  readonly transport: 'longpoll' | 'sse' | 'ws'
  readonly cell: { readonly ours: readonly number[] }
}

t.test('the memory of an idle subscriber is the median of the published benchmark', async (t) => {
  const { memory } = JSON.parse(await readFile(join(ROOT, 'benchmarks/results/fanout.json'), 'utf8')) as {
    memory: { rows: readonly Row[] }
  }
  const measured = memory.rows.map(({ transport, cell: { ours } }) => {
    const sorted = [...ours].sort((a, b) => a - b)
    return [transport, Math.round(sorted[(sorted.length - 1) / 2]!)]
  })
  t.same(IDLE, Object.fromEntries(measured))
  t.equal(memoryOf('ws', 1000), 1000 * IDLE.ws!)
  t.equal(memoryOf('poll', 1000), null, 'not measured')
})
