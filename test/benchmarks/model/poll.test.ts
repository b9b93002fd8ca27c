import t, { type Test } from 'tap'
import {
  pollBytes,
  pollDelay,
  pollEmptyShare,
  pollQuantile,
  pollRequests,
} from '../../../benchmarks/model/poll.ts'
import { poissonTimes, randomOf } from '../../../benchmarks/model/random.ts'

/** Simulates polls and messages one by one. */
function follow(rate: number, cycles: readonly number[], limit: number, seed: number) {
  const random = randomOf(seed)
  const polls: number[] = []
  for (let at = 0; at < 20_000; at += cycles[Math.floor(random() * cycles.length)]!) polls.push(at)
  const end = polls.at(-1)!
  const times = poissonTimes(random, rate, end)
  const waits: number[] = []
  let requests = 0
  let empty = 0
  let i = 0
  for (const poll of polls.slice(1)) {
    const first = i
    while (i < times.length && times[i]! <= poll) waits.push(poll - times[i++]!)
    const count = i - first
    if (count === 0) empty++
    requests += Math.max(1, Math.ceil(count / limit))
  }
  waits.sort((a, b) => a - b)
  return {
    mean: waits.reduce((a, b) => a + b, 0) / waits.length,
    quantile: (q: number) => waits[Math.floor(q * waits.length)]!,
    requests: requests / waits.length,
    emptyShare: empty / (polls.length - 1),
  }
}

const near = (t: Test, found: number, wanted: number, part: number, name: string) =>
  t.ok(Math.abs(found - wanted) <= part * Math.abs(wanted), `${name}: ${found}, not ${wanted}`)

t.test('a single cycle length: known values', async (t) => {
  const polling = { rate: 1, oneWay: 0.02, cycles: [5] }
  t.equal(pollDelay(polling), 2.52)
  t.equal(pollQuantile(polling, 0.99), 0.02 + 0.99 * 5)
  t.equal(pollQuantile(polling, 1), 5.02)
  t.equal(pollRequests(polling), 0.2)
  near(t, pollEmptyShare({ ...polling, cycles: [Math.LN2] }), 0.5, 1e-12, 'empty share')
  // Sequential polling of Pimentel and Nickerson (2012): 2d + pause / 2.
  const [d, pause] = [0.0403, 0.15]
  near(t, pollDelay({ rate: 4, oneWay: d, cycles: [pause + 2 * d] }), 2 * d + pause / 2, 1e-12, 'sequential')
})

t.test('equals a simulation, also with varying cycles', async (t) => {
  for (const cycles of [[1], [0.2, 1, 3]]) {
    const polling = { rate: 2, oneWay: 0, cycles }
    const found = follow(2, cycles, 3, 11)
    near(t, found.mean, pollDelay(polling), 0.02, 'delay')
    for (const q of [0.1, 0.5, 0.9, 0.99]) near(t, found.quantile(q), pollQuantile(polling, q), 0.04, `p${q}`)
    near(t, found.requests, pollRequests(polling, 3), 0.02, 'requests')
    near(t, found.emptyShare, pollEmptyShare(polling), 0.03, 'empty share')
  }
})

t.test('a quantile above 1 is the longest cycle', async (t) => {
  t.equal(pollQuantile({ rate: 1, oneWay: 0, cycles: [1, 2] }, 1 + 1e-9), 2)
})

t.test(
  'bytes: a frequent message costs its share of an exchange, a rare one many empty exchanges',
  async (t) => {
    const bytes = { empty: 300, full: 400, message: 150 }
    near(t, pollBytes({ rate: 0.001, oneWay: 0, cycles: [1] }, bytes), 300 / 0.001, 0.01, 'rare')
    const often = { rate: 1000, oneWay: 0, cycles: [1] }
    near(t, pollBytes(often, bytes, Number.POSITIVE_INFINITY), 150.4, 0.001, 'often')
    near(t, pollBytes(often, bytes), 150 + 400 * 0.0105, 0.001, 'ten full pages and a further one')
  },
)

t.test('further pages: the approximation for many pages', async (t) => {
  // The limits between summation and approximation.
  for (const [limit, edge] of [
    [100, 10_000],
    [2, 50],
  ] as const) {
    const at = (rate: number) => pollRequests({ rate, oneWay: 0, cycles: [1] }, limit) * rate
    near(t, at(edge + 1e-6), at(edge), 1e-7, `pages of ${limit}`)
  }
  near(t, pollRequests({ rate: 1e7, oneWay: 0, cycles: [60] }, 100), 0.01, 1e-6, 'full pages')
})
