import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { pageOf } from '../../benchmarks/html.ts'
import { resultsOf } from '../../benchmarks/json.ts'
import { type BenchOptions, readBench } from '../../benchmarks/options.ts'
import { histograms } from '../../benchmarks/peers.ts'
import { AGAIN, PUBLISH_ONLY, planOf } from '../../benchmarks/plan.ts'
import { plotsOf } from '../../benchmarks/plots.ts'
import { type Measured, measure } from '../../benchmarks/record.ts'
import { report } from '../../benchmarks/report.ts'
import { Stage } from '../../benchmarks/round.ts'
import { type Outcome, passed } from '../../benchmarks/run.ts'
import { rankingOf, summariesOf } from '../../benchmarks/summary.ts'
import { cli, ROOT } from '../child.ts'
import { build } from '../helper.ts'
import { runs, SMALL, small, wrong } from './small.ts'

/** Rounds that a quick plan has not: publishing alone, and nothing at all. */
async function others(t: Test): Promise<Measured[]> {
  const stage = new Stage(undefined)
  t.teardown(() => stage.end())
  const histogram = await histograms()
  const sections = planOf({ ...small(), quick: false })
  const plans = sections.flatMap(({ blocks }) => blocks.flat())
  const alone = plans.find(({ variant }) => variant.name === PUBLISH_ONLY)!
  const idle = plans.find(({ section, variant }) => section === 'idle' && variant.name === 'ws')!
  stage.prepare(2)
  return [measure(await stage.run(alone, 1), histogram), measure(await stage.run(idle), histogram)]
}

/** A full outcome with these rounds in all places; publishing more often takes more. */
function full(outcome: Outcome, [alone, idle]: Measured[]): Outcome {
  const settings = { ...(readBench([]) as BenchOptions), rounds: 3 }
  const sections = planOf(settings)
  const of = (name: string): Measured =>
    outcome.rounds.find(({ variant }) => variant === name) ??
    (name === PUBLISH_ONLY
      ? alone!
      : outcome.rounds.find(({ variant }) => variant === (name === AGAIN ? 'ws' : 'poll 100 ms'))!)
  const rounds = sections.flatMap(({ blocks }) =>
    blocks.flat().map(({ section, block, variant, workload }): Measured => {
      const own = { section, variant: variant.name, block }
      if (workload.rate === 0) return { ...idle!, ...own }
      const one = of(variant.name)
      const part = 1 + workload.rate + block / 100
      return { ...one, ...own, deliveries: one.deliveries * part, cpuPerSecond: one.cpuPerSecond! * part }
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

function looksRight(t: Test, outcome: Outcome): void {
  t.same(wrong(outcome), [])
  for (const round of outcome.rounds) {
    t.same([round.missed, round.duplicates, round.reordered], [0, 0, 0])
    t.ok(round.cpuPerSecond! > 0)
    t.ok(round.deliveries > 0 && round.latency!.mean > 0 && round.cpuPerDelivery! > 0, round.variant)
    const { up, down, both, payload, envelope, overhead } = round.bytes!
    t.ok(Math.abs(up + down - payload - envelope - overhead) < 1e-6, 'the parts are the whole')
    t.equal(both, up + down)
    t.equal(payload, 200)
    // From taking a message to handing it on, and a write to each: something, and less than all of the time.
    const { turn, handed, active } = round.work!
    t.ok(turn > 0 && handed >= 0 && active > 0 && handed + turn < round.seconds)
  }
  // Sizes have nothing to do with the machine: the model must hold to the byte.
  for (const { figure, variant, measured, model } of outcome.residuals) {
    if (figure !== 'bytes' || (variant !== 'ws' && variant !== 'sse')) continue
    t.ok(Math.abs(measured - model) < 6, `${variant}: ${measured} bytes, not ${model}`)
  }
}

t.test(
  'all transports: nothing is lost, the bytes are those of the wire; tables, page, figures',
  async (t) => {
    const outcome = await runs(small())
    t.equal(outcome.rounds.length, 4)
    looksRight(t, outcome)
    const text = report(outcome)
    for (const word of ['Latency, ms', 'TCP/IP', 'CPU']) t.ok(text.includes(word), word)
    t.match(
      plotsOf(outcome).map(({ id }) => id),
      ['latency', 'bytes-rate', 'cpu-rate'],
    )
    t.match(await pageOf(outcome), /Fewest bytes/)
    t.same(rankingOf(outcome), [], 'a quick run ranks nothing')

    const more = await others(t)
    t.match(more, [
      { variant: PUBLISH_ONLY, deliveries: 0, latency: null, bytes: null, work: { writes: 0 } },
      { variant: 'ws', publishes: 0, latency: null, quality: { acceptedShare: 1, lagP99: 0 } },
    ])
    const whole = full(outcome, more)
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
    t.match(page, /did not pass its gates.*is partial.*Lowest price.*FAILED: &lt;x>/s)
    t.notMatch(page, /https?:\/\/(?!www\.w3\.org)[^"'\s]*\.(js|css)/, 'it needs nothing else')
    const good = { ...whole, failures: [], residuals: [] }
    t.ok(passed(good))
    t.match(report(good), /All counted gates and residuals hold/)
    t.notMatch(await pageOf(good), /class="fail"/)

    // Whatever a run was kept from, what it has is told.
    const sections = whole.sections.map((section) => ({ ...section, name: 'headline' }))
    const few = whole.rounds.filter(({ variant, section }) => section === 'headline' && variant === 'sse')
    const part = { ...whole, sections: sections.slice(0, 1), rounds: few, partial: true }
    t.same(rankingOf(part), [], 'nothing to compare with')
    t.match(report(part), /PARTIAL: interrupted/)
    t.same(
      plotsOf(part)[0]!.series.map(({ label }) => label),
      ['sse', 'sse, model'],
    )
    t.same(
      plotsOf({ ...part, rounds: [] }).map(({ id }) => id),
      ['bytes-rate'],
    )
    const busy = whole.rounds.map((round) => ({
      ...round,
      work: { ...round.work!, write: 0.1 },
    }))
    const curves = plotsOf({ ...whole, rounds: busy })[0]!.series.map(({ label }) => label)
    t.ok(curves.includes('longpoll') && !curves.includes('longpoll, model'), 'above its load no formula')
  },
)

t.test('through the delay proxy, a channel each', async (t) => {
  const outcome = await runs(
    small(
      '--rtt',
      '100',
      '--channels',
      'each',
      '--header-profile',
      'fetch',
      '--transports',
      'longpoll,sse,ws',
    ),
  )
  looksRight(t, outcome)
  t.match(report(outcome), /no loss, no bandwidth/)
  for (const { variant, trips, accepted } of outcome.rounds) {
    t.ok(trips.echo! >= 0.1 && accepted!.mean >= 50, `${variant}: half a round trip at least`)
  }
})

t.test('the command, to its end and interrupted', async (t) => {
  const folder = t.testdir()
  const args = ['bench', ...SMALL, '--transports', 'sse']
  const child = cli(t, [...args, '--json', join(folder, 'x.json'), '--html', join(folder, 'x.html')])
  const { code } = await child.ended
  const results = JSON.parse(await readFile(join(folder, 'x.json'), 'utf8'))
  t.equal(code, results.passed ? 0 : 1)
  t.match(child.stdout, /Latency, ms/)
  t.match(child.stderr, /^Headline, block 1 of 1: sse; \d s left$/m)
  t.match(await readFile(join(folder, 'x.html'), 'utf8'), /^<!doctype html>/)
  const schema = JSON.parse(await readFile(join(ROOT, 'benchmarks', 'results.schema.json'), 'utf8'))
  fits(t, schema, schema, results, 'results')

  const long = cli(t, [...args, '--rounds', '90'])
  while (!long.stderr.includes('block 2 of 90')) await once(long.process.stderr!, 'data')
  long.process.kill('SIGINT')
  t.same(await long.ended, { code: 130, signal: null })
  t.match(long.stdout, /PARTIAL: interrupted.*Latency, ms/s)
  t.match(long.stderr, /1 min \d+ s left/)
})

/** Whether a value is as the schema says, as far as ours goes. */
function fits(t: Test, root: Schema, schema: Schema, value: unknown, path: string): void {
  if (schema.$ref !== undefined) {
    fits(t, root, root.$defs![schema.$ref.split('/').at(-1)!]!, value, path)
    return
  }
  if (schema.anyOf !== undefined) {
    const other = schema.anyOf.find(({ type }) => type !== 'null')!
    if (value !== null) fits(t, root, other, value, path)
    return
  }
  if ('const' in schema) t.equal(value, schema.const, path)
  if (schema.enum !== undefined) t.ok(schema.enum.includes(value), path)
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value as object, name)) t.fail(`${path}.${name} is missing`)
  }
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    if (Object.hasOwn(value as object, name)) {
      fits(t, root, part, (value as Record<string, unknown>)[name], `${path}.${name}`)
    }
  }
  if (schema.type === 'array') {
    for (const each of value as unknown[]) if (schema.items) fits(t, root, schema.items, each, `${path}[]`)
  } else if (schema.type !== undefined) {
    const types = [schema.type].flat().map((type) => (type === 'integer' ? 'number' : type))
    t.ok(types.includes(value === null ? 'null' : typeof value), `${path} is ${types}`)
  }
}

interface Schema {
  readonly $ref?: string
  readonly $defs?: Record<string, Schema>
  readonly anyOf?: readonly Schema[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly required?: readonly string[]
  readonly properties?: Record<string, Schema>
  readonly items?: Schema
  readonly type?: string | readonly string[]
}

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
    t.match(resultsOf(outcome, new Date(0)), {
      format: 1,
      date: '1970-01-01T00:00:00.000Z',
      settings: { url: `${url}/live` },
    })
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
