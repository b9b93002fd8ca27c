import t from 'tap'
import { type BenchOptions, readBench } from '../options.ts'
import { PUBLISH_ONLY, planOf, variantOf } from '../plan.ts'
import type { Measured } from '../record.ts'
import { predict, publishingOf, residualsOf, spentOf } from '../residual.ts'

const { workload, ...settings } = readBench(['--quick']) as BenchOptions
const ws = variantOf('ws')

/** Ten seconds at five messages a second to a hundred, of which only this is looked at. */
function round(more: Partial<Measured> = {}, lagP99 = 0): Measured {
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
    cpuPerSecond: 12_000,
    cpuPerDelivery: 24,
    trips: { echo: 0.0002, http: 0.0004 },
    requests: 1,
    bytes: { up: 0, down: 300 },
    quality: { acceptedShare: 1, early: 0, lagP99, proxyLagP99: 0, loadCore: 0.1, steal: 0 },
    ...more,
  } as Measured
}

t.test('what publishing takes is no part of a write', async (t) => {
  const sections = planOf({ ...settings, workload })
  const alone = round({ variant: PUBLISH_ONLY, publishes: 20, seconds: 4, cpuPerSecond: 2000 })
  t.equal(publishingOf(sections, [alone, round()], workload), 400, '8,000 µs for 20')
  t.equal(publishingOf(sections, [alone], { ...workload, rate: 1 }), 0, 'not at this rate')
  t.equal(publishingOf(sections, [], workload), 0)
  t.equal(spentOf(round(), 0), 24e-6)
  t.equal(spentOf(round(), 400), 20e-6, '4 µs of 24 were publishing')
  t.equal(spentOf(round(), 1e6), 0)
  t.equal(spentOf(round({ cpuPerDelivery: null }), 0), 0, 'unknown')
  // d + (N + 1)s / 2 + bNs / 2 with Ns = 2 ms at 5 messages/s.
  const busy = 0.002 / (0.002 + Math.exp(-0.01) / 5)
  const delay = 0.1 + (101 * 0.02) / 2 + (busy * 2) / 2
  t.ok(Math.abs(predict(ws, workload, round(), 400)!.delay - delay) < 1e-9)
})

t.test('a residual fails where the model is wrong, a delay only where the machine was quiet', async (t) => {
  const model = (delay: number, bytes: number) => () => ({ delay, bytes, requests: 1 })
  const holds = (rounds: Measured[], delay: number, bytes = 300) =>
    residualsOf(ws, workload, rounds, model(delay, bytes), 0).map((one) => [one.figure, one.holds])
  const quiet = [round(), round(), round()]
  const all = (delay: boolean | null, bytes: boolean | null) => [
    ['delay', delay],
    ['requests', bytes === null ? null : true],
    ['bytes', bytes],
  ]
  t.same(holds(quiet, 5.2), all(true, true))
  t.same(holds(quiet, 6), all(false, true))
  t.same(holds(quiet, 5, 350), all(true, false))
  t.same(holds(quiet.slice(1), 6), all(null, null), 'too few')
  const disturbed = [round(), round(), round({}, 30)]
  t.same(holds(disturbed, 6, 350), all(null, false))
  const spoilt = round({ accepted: { mean: 500 } as Measured['accepted'] }, 30)
  t.same(holds([...quiet, spoilt], 5), all(true, true), 'the others are enough')
  t.same(
    residualsOf(ws, workload, quiet, () => null, 0),
    [],
  )
})
