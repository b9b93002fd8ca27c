import { createServer } from 'node:net'
import t from 'tap'
import { FORMAT, resultsOf } from '../../benchmarks/json.ts'
import { planOf } from '../../benchmarks/plan.ts'
import { plotsOf } from '../../benchmarks/plots.ts'
import { report } from '../../benchmarks/report.ts'
import { Stage } from '../../benchmarks/round.ts'
import { build } from '../helper.ts'
import { quickForks, runs, small, wrong } from './small.ts'

t.test('an app of the user’s own, under a prefix; its CPU only where it tells', async (t) => {
  quickForks(t)
  for (const stats of [true, false]) {
    const { url } = await build(t, { prefix: '/live', publish: true, stats })
    const outcome = await runs(small('--url', `${url}/live`, '--transports', 'longpoll'))
    t.same(wrong(outcome), [])
    t.ok(outcome.rounds.every(({ cpuPerSecond }) => (cpuPerSecond === null) !== stats))
    t.ok(
      outcome.rounds.every(({ trips }) => trips.echo === undefined),
      'it has no echo',
    )
    t.same(outcome.residuals, [])
    t.ok(report(outcome).includes('Latency, ms'))
    t.ok(plotsOf(outcome).some(({ id }) => id === 'latency'))
    t.match(resultsOf(outcome, new Date(0)), {
      format: FORMAT,
      date: '1970-01-01T00:00:00.000Z',
      settings: { url: `${url}/live` },
    })
  }
})

t.test('an app that does not do its part ends the run with what it said', async (t) => {
  quickForks(t)
  const { url } = await build(t, { publish: true, transports: ['poll'] })
  const stage = new Stage(new URL(url))
  t.teardown(() => stage.end())
  const refused = async (kind: string, why: RegExp) => {
    const [section] = planOf(small('--url', url, '--transports', kind))
    await t.rejects(stage.run(section!.blocks[0]![0]!), why)
  }
  await refused('longpoll', /\/longpoll answered 404/)
  await refused('sse', /\/sse answered HTTP\/1.1 404/)
  await refused('ws', /\/ws answered HTTP\/1.1 404/)
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => closed.once('listening', resolve))
  const { port } = closed.address() as { port: number }
  await new Promise((resolve) => closed.close(resolve))
  await t.rejects(runs(small('--url', `http://127.0.0.1:${port}`)), /ECONNREFUSED/)
})
