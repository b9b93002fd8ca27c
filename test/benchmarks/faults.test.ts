import t from 'tap'
import { report } from '../../benchmarks/report.ts'
import { predict } from '../../benchmarks/residual.ts'
import { passed } from '../../benchmarks/run.ts'
import { UNCOVERED } from '../child.ts'
import { build } from '../helper.ts'
import { runs, small, wrong } from './small.ts'

t.test(
  'a message that is dropped, comes twice, out of order or of itself fails the run, aloud',
  async (t) => {
    const { url } = await build(t, { publish: true })
    const outcome = await runs(small('--url', url, '--transports', 'sse', '--subscribers', '4'), {
      inject: { spoil: true },
    })
    t.same(wrong(outcome), [
      'sse, block 1: 1 messages were missed',
      'sse, block 1: 1 messages came twice',
      'sse, block 1: 1 messages came out of order',
      'sse, block 1: A message came that was not sent',
    ])
    t.notOk(passed(outcome))
    const text = report(outcome)
    for (const why of wrong(outcome)) t.ok(text.includes(`FAILED: ${why}`), why)
  },
)

t.test('a publisher that is starved fails the run', async (t) => {
  const { url } = await build(t, { publish: true })
  const options = small('--url', url, '--transports', 'ws', '--rate', '40')
  const outcome = await runs(options, { inject: { starve: 60 } })
  t.match(
    outcome.failures.filter(({ kind }) => kind === 'wrong').map(({ text }) => text),
    [/only .* of the planned publishes were accepted in the window/],
  )
  t.notOk(passed(outcome))
})

t.test('a wrong model fails the run', async (t) => {
  // Its processes do nothing that those of other tests don't: they need not tell what they covered.
  Object.assign(process.env, UNCOVERED)
  const model: typeof predict = (...args) => {
    const prediction = predict(...args)
    return prediction && { ...prediction, bytes: prediction.bytes * 1.2 }
  }
  const outcome = await runs(small('--transports', 'ws', '--rounds', '3'), { model })
  t.match(
    outcome.residuals.filter(({ figure, holds }) => figure === 'bytes' && holds === false),
    [{ figure: 'bytes', variant: 'ws' }],
  )
  t.notOk(passed(outcome))
  t.match(report(outcome), /FAILED/)
})
