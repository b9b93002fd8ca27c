import t from 'tap'
import { type BenchOptions, parseBenchOptions } from '../../benchmarks/options.ts'
import { PUBLISH_ONLY, planOf, pollVariant, variantOf } from '../../benchmarks/plan.ts'
import {
  predict,
  publishCostOf,
  pushInputs,
  residualsOf,
  serverTimesOf,
  sharedReaderSaving,
} from '../../benchmarks/residual.ts'
import type { RoundResult } from '../../benchmarks/round-result.ts'

const { workload, ...settings } = parseBenchOptions(['--quick']) as BenchOptions
const ws = variantOf('ws')
const NONE = { active: 0, turn: 0 }

/** Ten seconds at five messages per second to a hundred readers, with default values. */
function round(more: Partial<RoundResult> = {}, lagP99 = 0): RoundResult {
  return {
    variant: 'ws',
    section: 'headline',
    block: 0,
    seconds: 10,
    publishes: 50,
    deliveries: 5000,
    missed: 0,
    duplicates: 0,
    reordered: 0,
    faults: [],
    accepted: { mean: 5 },
    work: { turn: 0, ahead: 0, writes: 5000, handed: 0, write: 0, read: 0, look: 0, active: 0 },
    trips: { echo: 0.0002, http: 0.0004 },
    requests: 1,
    bytes: { up: 0, down: 300, both: 300 },
    quality: {
      acceptedShare: 1,
      early: 0,
      lagP99,
      lagShare: lagP99 > 0 ? 1 : 0,
      proxyLagP99: 0,
      loadCore: 0.1,
      steal: 0,
      cpuTold: 1,
    },
    ...more,
  } as RoundResult
}

t.test('a request excludes the cost of publishing', async (t) => {
  const sections = planOf({ ...settings, workload })
  const work = (active: number, handed = 0, turn = 0) => ({
    ...{ turn, ahead: 0, writes: 5000, handed, write: handed / 5000, read: 0, look: 0, active },
  })
  const alone = round({ variant: PUBLISH_ONLY, publishes: 20, work: work(0.02, 0, 0.0003) })
  const stream = round({ work: work(0.25, 0.1, 0.0005) })
  t.same(publishCostOf(sections, [alone, stream], workload), { active: 0.001, turn: 0.0003 })
  t.same(
    publishCostOf(sections, [stream], workload),
    { active: 0.003, turn: 0.0005 },
    'without a round without readers',
  )
  t.same(publishCostOf(sections, [alone], { ...workload, rate: 1 }), NONE, 'at another rate')
  t.same(publishCostOf(sections, [], workload), NONE)

  const held = round({ work: work(0.65, 0.1) })
  t.same(serverTimesOf(held, { active: 0.001, turn: 0.0003 }), {
    ...{ turn: 0.0003, write: 20e-6, read: 0, client: 0, request: 100e-6 },
  })
  t.same(serverTimesOf(round({ work: work(0.01, 0.1) }), NONE).request, 0, 'not below zero')
  const ahead = { ...held, work: { ...held.work!, ahead: 0.0001, read: 30e-6, look: 10e-6 } }
  t.match(serverTimesOf(ahead, NONE), { turn: 0.0001, write: 20e-6, read: 30e-6, client: 40e-6 })
  // The load reads each reader as it is written, every 20 µs, except the first six, while the load wakes up. It has
  // caught up after 100 µs.
  const row = Array.from({ length: 100 }, (_, before) => Math.max(0.12, 0.02 * (before + 1)))
  const { delay } = predict(ws, workload, stream, { active: 0, turn: 0.0003 })!
  t.ok(Math.abs(delay - 0.3 - row.reduce((a, b) => a + b) / 100) < 1e-9)
  const far = predict(ws, { ...workload, rtt: 0.08 }, stream, { active: 0, turn: 0.0003 })!
  t.ok(far.delay > delay, 'all readers wait for the network part of the one-way delay')

  // The model of long polling assumes that each reader wakes up separately.
  const saved = (rtt: number) =>
    sharedReaderSaving(pushInputs({ ...workload, rtt }, 5, 0.0001, { write: 20e-6, read: 0 }))
  const apart = 0.1 + (101 * 0.02) / 2
  t.ok(Math.abs(saved(0) * 1e3 - (apart - row.reduce((a, b) => a + b) / 100)) < 1e-9)
  t.ok(Math.abs(saved(0.2)) < 1e-12, 'all of the one-way delay is the network')
})

t.test('inputs of the model from a round, for each transport', async (t) => {
  const says = (kind: 'poll' | 'longpoll' | 'sse', more: Partial<RoundResult> = {}, own = workload) =>
    predict(kind === 'poll' ? pollVariant(1) : variantOf(kind), own, round(more), NONE)
  const near = (found: number, wanted: number) => t.ok(Math.abs(found - wanted) < 1e-9, `${found}, ${wanted}`)

  const cycle = { mean: 1, square: 1 }
  near(says('poll', { cycle })!.delay, 0.1 + 500)
  near(says('poll', { cycle })!.requests, 1 / 5)
  near(says('poll', { cycle: { mean: 1, square: 2 } })!.delay, 0.1 + 1000)
  near(says('poll', { cycle, trips: { echo: undefined, http: 0.002 } })!.delay, 1 + 500)
  t.equal(says('poll', { cycle: null }), null, 'no poll was observed')
  t.equal(says('sse', { deliveries: 0 }), null, 'no deliveries')
  t.equal(predict(variantOf(undefined), workload, round(), NONE), null, 'no readers')

  const far = { trips: { echo: 0.1, http: 0.1 } }
  near(says('sse', far)!.delay, 50)
  near(says('sse', far, { ...workload, channels: 'each' })!.requests, 1 / (workload.session * 0.05))
  const held = says('longpoll', far)!
  t.ok(held.delay > 50 && held.delay <= 150)
  // 500 readers per second at 1 ms each exceed the limit of the single-reader formula.
  const busy = says('longpoll', { ...far, work: { ...round().work!, active: 5 } })!
  t.ok(busy.delay > held.delay && busy.bytes > 200)
})

t.test('a residual fails if the model is wrong; for a delay, only on an undisturbed machine', async (t) => {
  const model = (delay: number, bytes: number) => () => ({ delay, bytes, requests: 1 })
  const holds = (rounds: RoundResult[], delay: number, bytes = 300) =>
    residualsOf(ws, workload, rounds, model(delay, bytes), NONE).map((one) => [one.figure, one.holds])
  const quiet = [round(), round(), round()]
  const all = (delay: boolean | null, bytes: boolean | null) => [
    ['delay', delay],
    ['requests', bytes === null ? null : true],
    ['bytes', bytes],
  ]
  t.same(holds(quiet, 5.2), all(true, true))
  t.same(holds(quiet, 6), all(false, true))
  t.same(holds(quiet, 5, 350), all(true, false))
  t.same(holds(quiet, 5, 300 * 1.08), all(true, false), '8 % of the bytes fail as well')
  t.same(holds(quiet, 5, 301), all(true, true))
  t.same(holds(quiet.slice(1), 6), all(null, null), 'too few')
  const disturbed = [round(), round(), round({}, 30)]
  t.same(
    holds(disturbed, 6, 350),
    [
      ['delay', null],
      ['requests', null],
      ['bytes', false],
    ],
    'the bytes of a stream do not depend on the machine',
  )
  const asked = residualsOf(variantOf('longpoll'), workload, disturbed, model(6, 350), NONE)
  t.same(
    asked.map(({ holds }) => holds),
    [null, null, null],
    'late messages share a response',
  )
  const spoilt = round({ accepted: { mean: 500 } as RoundResult['accepted'] }, 30)
  t.same(holds([...quiet, spoilt], 5), all(true, true), 'the other rounds are enough')
  t.same(
    residualsOf(ws, workload, quiet, () => null, NONE),
    [],
  )
  const nothing = [round({ accepted: null, requests: null, bytes: null })]
  t.same(residualsOf(ws, workload, nothing, model(5, 300), NONE), [], 'no measurements')
})
