import { createServer } from 'node:net'
import t from 'tap'
import { pageOf } from '../../benchmarks/html.ts'
import { resultsOf } from '../../benchmarks/json.ts'
import { type BenchOptions, readBench } from '../../benchmarks/options.ts'
import { AGAIN, PUBLISH_ONLY, planOf } from '../../benchmarks/plan.ts'
import { plotsOf } from '../../benchmarks/plots.ts'
import type { Measured } from '../../benchmarks/record.ts'
import { report } from '../../benchmarks/report.ts'
import { Stage } from '../../benchmarks/round.ts'
import { type Outcome, passed } from '../../benchmarks/run.ts'
import { rankingOf, summariesOf } from '../../benchmarks/summary.ts'
import { build } from '../helper.ts'
import { runs, small, wrong } from './small.ts'

/** A full outcome with the rounds of a small one in all places; publishing more often takes more. */
function full(outcome: Outcome): Outcome {
  const settings = { ...(readBench([]) as BenchOptions), rounds: 3 }
  const sections = planOf(settings)
  const of = (name: string): Measured =>
    outcome.rounds.find(({ variant }) => variant === name) ??
    outcome.rounds.find(({ variant }) => variant === (name === AGAIN ? 'ws' : 'poll 100 ms'))!
  const rounds = sections.flatMap(({ blocks }) =>
    blocks.flat().map(({ section, block, variant, workload }): Measured => {
      const one = { ...of(variant.name), section, variant: variant.name, block }
      if (workload.rate === 0) return { ...one, deliveries: 0, bytes: null, latency: null, accepted: null }
      const part = 1 + workload.rate + block / 100
      return { ...one, deliveries: one.deliveries * part, cpuPerSecond: one.cpuPerSecond! * part }
    }),
  )
  return {
    ...outcome,
    settings,
    sections,
    rounds,
    repeated: 1,
    memory: [{ kind: 'ws', points: [], rssPerSubscriber: 1000, kernelPerSubscriber: 2000 }],
    ceiling: [{ answer: 'one new', requestsPerSecond: 1, p50: 1, p99: 2, bytesPerSecond: 1, errors: 0 }],
  }
}

t.test('all transports: nothing is lost, and the bytes are those of the wire', async (t) => {
  const cases = [
    [],
    ['--rtt', '20', '--channels', 'each', '--header-profile', 'fetch', '--transports', 'sse'],
  ]
  for (const more of cases) {
    const outcome = await runs(small(...more))
    t.same(wrong(outcome), [])
    t.equal(outcome.rounds.length, more.length === 0 ? 5 : 2)
    for (const round of outcome.rounds) {
      t.ok(round.cpuPerSecond! > 0)
      t.same([round.missed, round.duplicates, round.reordered], [0, 0, 0])
      if (round.variant === PUBLISH_ONLY) {
        t.match(round, { deliveries: 0, latency: null, bytes: null })
        continue
      }
      t.ok(round.deliveries > 0 && round.latency!.mean > 0 && round.cpuPerDelivery! > 0, round.variant)
      const { up, down, payload, envelope, overhead } = round.bytes!
      t.ok(Math.abs(up + down - payload - envelope - overhead) < 1e-6, 'the parts are the whole')
      t.equal(payload, 200)
    }
    // Sizes and counts have nothing to do with the machine: the model of bytes must hold to the byte.
    for (const { figure, variant, measured, model } of outcome.residuals) {
      if (figure !== 'bytes' || (variant !== 'ws' && variant !== 'sse')) continue
      t.ok(Math.abs(measured - model) < 6, `${variant}: ${measured} bytes, not ${model}`)
    }
    const text = report(outcome)
    for (const word of ['Latency, ms', 'TCP/IP', 'CPU']) t.ok(text.includes(word), word)
    t.match(
      plotsOf(outcome).map(({ id }) => id),
      ['latency', 'bytes-rate', 'cpu-rate'],
    )
    const results = JSON.parse(JSON.stringify(resultsOf(outcome, new Date(0))))
    t.match(results, { format: 1, date: '1970-01-01T00:00:00.000Z', summaries: Array, rounds: Array })
    t.same(rankingOf(outcome), [], 'a quick run ranks nothing')
    if (more.length > 0) continue

    const whole = full(outcome)
    const noise = rankingOf(whole).filter(({ variant }) => variant === AGAIN)
    t.match(
      noise.map(({ figure, comparison }) => [figure, comparison.verdict]),
      [
        ['latency', 'tie'],
        ['cpu', 'tie'],
        ['bytes', 'tie'],
      ],
    )
    const { cpu } = summariesOf(whole).find(({ variant }) => variant === 'ws')!
    t.ok(cpu.marginal! > 0 && cpu.idle! > 0)
    t.match(report(whole), /Against ws.*An idle subscriber.*1 blocks were run again/s)
    const page = await pageOf({ ...whole, partial: true, failures: [{ kind: 'wrong', text: '<x>' }] })
    t.match(page, /<script>.*uPlot/s)
    t.match(page, /did not pass its gates.*is partial.*FAILED: &lt;x>/s)
    t.notMatch(page, /https?:\/\/(?!www\.w3\.org)[^"'\s]*\.(js|css)/, 'it needs nothing else')
    const good = { ...whole, failures: [], residuals: [] }
    t.ok(passed(good))
    t.match(report(good), /All counted gates and residuals hold/)
    t.notMatch(await pageOf(good), /class="fail"/)
  }
})

t.test('an app of the user’s own, under a prefix; its CPU only where it tells', async (t) => {
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
  }
})

t.test('an app that does not do its part ends the run with what it said', async (t) => {
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
