import t, { type Test } from 'tap'
import { type IdleMemory, idleMemoryOf } from '../../benchmarks/capacity.ts'
import { htmlReport } from '../../benchmarks/html.ts'
import { resultsOf } from '../../benchmarks/json.ts'
import { type BenchOptions, parseBenchOptions } from '../../benchmarks/options.ts'
import { AA_CONTROL, PUBLISH_ONLY, planOf } from '../../benchmarks/plan.ts'
import { plotsOf } from '../../benchmarks/plots.ts'
import { report } from '../../benchmarks/report.ts'
import type { RoundResult, ServerTimings } from '../../benchmarks/round-result.ts'
import { type Outcome, passed } from '../../benchmarks/run.ts'
import { rankingOf, summariesOf } from '../../benchmarks/summary.ts'
import { misfits } from './schema.ts'
import { looksRight, quickForks, runs, small } from './small.ts'

/** Runs everything in a full run, for one transport and as short as possible. */
async function smallFull(t: Test): Promise<{ alone: RoundResult; idle: RoundResult }> {
  const settings = { ...small('--transports', 'ws', '--heat', '300'), quick: false }
  const lines: string[] = []
  const outcome = await runs(settings, {
    progress: (line) => lines.push(line),
    fullRun: {
      maxRetries: 0,
      idleSubscribers: [0, 2],
      passes: 1,
      deliveryCpu: { subscribers: [2], units: 80 },
      throughputSeconds: 1,
      dedicatedMachine: false,
    },
  })
  const { rounds, memory, ceiling, hot, heatings } = outcome
  looksRight(t, outcome)
  t.match(lines.slice(-3), [/^Memory of idle/, /^CPU per delivery/, /^Throughput of \/poll/])
  const pass = [{ subscribers: 0 }, { subscribers: 2 }]
  t.match(memory, [{ kind: 'ws', passes: [pass] }])
  const [{ passes, rssPerSubscriber, kernelPerSubscriber }] = memory as [IdleMemory]
  t.ok(passes.flat().every(({ rssBytes }) => rssBytes > 1e6))
  t.ok([rssPerSubscriber, kernelPerSubscriber].every((one) => one === null || Number.isFinite(one.value)))
  t.match(hot, [{ kind: 'ws', subscribers: 2 }])
  t.ok(hot[0]!.cpu.low! > 0 && hot[0]!.cpu.value >= hot[0]!.cpu.low!)
  t.ok(ceiling.every(({ cpuPerRequest }) => cpuPerRequest > 0))
  t.same(
    heatings.map(({ variant, unit, settled }) => [variant, unit, settled]).sort(),
    [
      [PUBLISH_ONLY, 'publish', null],
      ['ws', 'delivery', null],
      [AA_CONTROL, 'delivery', null],
    ].sort(),
    'each variant has one server, warmed up once',
  )
  t.ok(heatings.every(({ points }) => points.at(-1)!.units >= 300 && points.every(({ cpu }) => cpu! > 0)))
  t.same(
    ceiling.map(({ answer, errors }) => [answer, errors]),
    [
      ['nothing new', 0],
      ['one new', 0],
      ['a hundred new', 0],
    ],
  )
  const weight = ceiling.map(({ bytesPerSecond, requestsPerSecond }) => bytesPerSecond / requestsPerSecond)
  t.ok(weight[0]! < weight[1]! && weight[1]! < weight[2]!, `bytes an answer: ${weight}`)
  t.same(
    rankingOf(outcome).map(({ figure, variant, against }) => [figure, variant, against]),
    ['latency', 'cpu', 'bytes'].map((figure) => [figure, AA_CONTROL, 'ws']),
  )
  t.match(
    report(outcome),
    /no loss, no bandwidth.*At 3\.33.*Idle: nothing.*Cold start.*CPU µs\/delivery, warmed-up.*Idle subscriber/s,
  )

  t.same(misfits(JSON.parse(JSON.stringify(resultsOf(outcome)))), [])

  const find = (name: string, wanted: string) =>
    rounds.find(({ section, variant }) => section === name && variant === wanted)!
  const alone = find('headline', PUBLISH_ONLY)
  const idle = find('idle', 'ws')
  t.match(alone, { deliveries: 0, latency: null, bytes: null, work: { writes: 0 } })
  t.match(idle, { publishes: 0, latency: null, quality: { acceptedShare: 1, lagP99: 0 } })
  return { alone, idle }
}

/** A full outcome that repeats these rounds everywhere; higher rates cost more. */
function full(outcome: Outcome, { alone, idle }: { alone: RoundResult; idle: RoundResult }): Outcome {
  const settings = { ...(parseBenchOptions([]) as BenchOptions), rounds: 6 }
  const sections = planOf(settings)
  const of = (name: string): RoundResult =>
    outcome.rounds.find(({ variant }) => variant === name) ??
    (name === PUBLISH_ONLY
      ? alone
      : outcome.rounds.find(({ variant }) => variant === (name === AA_CONTROL ? 'ws' : 'poll 100 ms'))!)
  const rounds = sections.flatMap(({ blocks }) =>
    blocks.flat().map(({ section, block, variant, workload }): RoundResult => {
      const own = { section, variant: variant.name, block }
      if (workload.rate === 0) return { ...idle, ...own }
      const one = of(variant.name)
      const part = 1 + workload.rate + block / 100
      return { ...one, ...own, deliveries: one.deliveries * part, cpuPerSecond: one.cpuPerSecond! * part }
    }),
  )
  const passes = [2000, 3000, 4000, 2500, 3500, 3000].map((bytes) =>
    [0, 2].map((subscribers) => ({ subscribers, rssBytes: 1e6 + bytes * subscribers, kernelBytes: 0 })),
  )
  return {
    ...outcome,
    settings,
    sections,
    rounds,
    repeated: 1,
    memory: [{ kind: 'ws', passes, ...idleMemoryOf(passes) }],
    ceiling: [
      {
        ...{ answer: 'one new', messages: 1, cpuPerRequest: 30, requestsPerSecond: 1 },
        ...{ p50: 1, p99: 2, bytesPerSecond: 1, errors: 0 },
      },
    ],
    hot: (['longpoll', 'sse', 'ws'] as const).map((kind) => ({
      kind,
      subscribers: 100,
      cpu: { value: 10, low: 9, high: 11 },
    })),
  }
}

t.test('all transports: no losses, exact bytes, tables, page and figures', async (t) => {
  quickForks(t)
  const outcome = await runs(small())
  t.equal(outcome.rounds.length, 4)
  looksRight(t, outcome)
  const text = report(outcome)
  for (const word of ['Latency, ms', 'TCP/IP', 'CPU']) t.ok(text.includes(word), word)
  t.match(
    plotsOf(outcome).map(({ id }) => id),
    ['latency', 'bytes-rate', 'cpu-rate'],
  )
  t.match(await htmlReport(outcome), /Fewest bytes/)
  t.same(rankingOf(outcome), [], 'a quick run has no ranking')

  const whole = full(outcome, await smallFull(t))
  const noise = rankingOf(whole).filter(({ variant }) => variant === AA_CONTROL)
  t.match(
    noise.map(({ figure, comparison }) => [figure, comparison.verdict]),
    [
      ['latency', 'tie'],
      ['cpu', 'tie'],
      ['bytes', 'tie'],
    ],
  )
  const { cpu } = summariesOf(whole).find(({ variant }) => variant === 'ws')!
  t.ok(cpu.marginal! > 0 && cpu.own !== null)
  t.match(
    report(whole),
    /Relative to ws.*│ ws +│ +3\.00 \[2\.00, 4\.00\] │ +0 \[0, 0\].*1 round was repeated/s,
  )
  const page = await htmlReport({
    ...whole,
    partial: true,
    failures: [{ kind: 'wrong', section: 'headline', text: '<x>' }],
  })
  t.match(page, /<script>.*uPlot/s)
  t.match(page, /This run is not valid.*is partial.*Lowest price.*FAILED: &lt;x>/s)
  t.notMatch(page, /https?:\/\/(?!www\.w3\.org)[^"'\s]*\.(js|css)/, 'the page is self-contained')
  const quiet = { lagP99: 0, lagShare: 0, proxyLagP99: 0, loadCore: 0, steal: 0, serverWaited: 0 }
  const calm = whole.rounds.map((round) => ({ ...round, quality: { ...round.quality, ...quiet } }))
  const good = { ...whole, rounds: calm, failures: [], residuals: [] }
  t.ok(passed(good))
  t.match(report(good), /PASSED.*✓ Main workload: /s)
  t.notMatch(await htmlReport(good), /class="fail"/)

  // An incomplete run reports what it has.
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
    plotsOf({ ...part, rounds: [], hot: [], ceiling: [] }).map(({ id }) => id),
    ['bytes-rate'],
  )
  const modelled = (work: Partial<ServerTimings>) => {
    const rounds = whole.rounds.map((round) => ({
      ...round,
      trips: { ...round.trips!, echo: undefined },
      work: { ...round.work!, ...work },
    }))
    const { series } = plotsOf({ ...whole, rounds })[0]!
    return series.find(({ label }) => label === 'longpoll, model')!.y.at(-1)!
  }
  // Above the load limit of the formula, the simulation takes over, in which requests queue.
  t.ok(modelled({ write: 0.1, active: 1 }) > 2 * modelled({ write: 0, active: 0 }))

  // Without ss, or after a round without messages.
  const untold = whole.rounds.map((round) => ({
    ...round,
    bytes: round.bytes && { ...round.bytes, tcpCounted: null },
  }))
  const { bytes } = summariesOf({ ...whole, rounds: untold }).find(({ variant }) => variant === 'ws')!
  t.match(bytes, { tcpCounted: null, up: { value: Number } })
})
