import t, { type Test } from 'tap'
import { poissonTimes, randomOf } from '../../../benchmarks/model/random.ts'
import {
  batchedDelay,
  batchedQuantile,
  batchedUtilization,
  delayFromAcceptance,
  pushDelay,
  pushRequests,
  pushUtilization,
} from '../../../benchmarks/model/server-push.ts'

const near = (t: Test, found: number, wanted: number, part: number, name: string) =>
  t.ok(Math.abs(found - wanted) <= part * Math.abs(wanted), `${name}: ${found}, not ${wanted}`)

/** A server that writes rows, one per message, or one for all waiting messages. */
function follow(rate: number, readers: number, write: number, joined: boolean) {
  const times = poissonTimes(randomOf(23), rate, 20_000 / rate)
  const delays: number[] = []
  let free = 0
  for (let i = 0; i < times.length; ) {
    const start = Math.max(free, times[i]!)
    const first = i++
    if (joined) while (i < times.length && times[i]! <= start) i++
    for (let k = 1; k <= readers; k++) {
      for (let n = first; n < i; n++) delays.push(start + k * write - times[n]!)
    }
    free = start + readers * write
  }
  delays.sort((a, b) => a - b)
  return {
    mean: delays.reduce((a, b) => a + b, 0) / delays.length,
    quantile: (q: number) => delays[Math.floor(q * delays.length)]!,
  }
}

t.test('message by message: equals the simulated queue', async (t) => {
  for (const rate of [1, 10, 18]) {
    const push = { rate, oneWay: 0, readers: 10, write: 0.005 }
    near(t, follow(rate, 10, 0.005, false).mean, pushDelay(push), 0.08, `rate ${rate}`)
  }
  t.equal(pushUtilization({ rate: 10, oneWay: 0, readers: 10, write: 0.005 }), 0.5)
  t.equal(pushDelay({ rate: 20, oneWay: 0, readers: 10, write: 0.005 }), Number.POSITIVE_INFINITY)
  // The textbook M/D/1 queue at half load: the wait is half a service time.
  t.equal(pushDelay({ rate: 0.5, oneWay: 0, readers: 1, write: 1 }), 1.5)
})

t.test('turn by turn: equals the simulated queue, even above full load', async (t) => {
  for (const rate of [1, 10, 40]) {
    const push = { rate, oneWay: 0, readers: 10, write: 0.005 }
    const found = follow(rate, 10, 0.005, true)
    near(t, found.mean, batchedDelay(push), 0.02, `rate ${rate}`)
    for (const q of [0.25, 0.5, 0.9, 0.99])
      near(t, found.quantile(q), batchedQuantile(push, q), 0.03, `p${q}`)
  }
  near(t, batchedUtilization({ rate: 1e4, oneWay: 0, readers: 10, write: 0.005 }), 1, 1e-6, 'never above 1')
})

t.test('the one-way delay is added; one request per session', async (t) => {
  const push = { rate: 1, oneWay: 0, readers: 1, write: 0.001 }
  const far = { ...push, oneWay: 0.05 }
  near(t, pushDelay(far), pushDelay(push) + 0.05, 1e-9, 'by message')
  near(t, batchedDelay(far), batchedDelay(push) + 0.05, 1e-9, 'by turn')
  near(t, batchedQuantile(far, 0.5), batchedQuantile(push, 0.5) + 0.05, 1e-9, 'quantile')
  t.equal(pushRequests(0.5, 600), 1 / 300)
})

t.test('from acceptance, only the row counts', (t) => {
  const push = { rate: 10, oneWay: 0.02, readers: 4, write: 0.001 }
  const row = [1, 2, 3, 4].map((k) => 0.02 + k * 0.001)
  near(t, delayFromAcceptance(push), row.reduce((a, b) => a + b) / 4, 1e-12, 'the mean over the readers')
  t.ok(delayFromAcceptance(push) < batchedDelay(push))
  t.end()
})

t.test('one process that reads for all: only the first reader waits for the wake-up', (t) => {
  /** Reads one reader after the other, as soon as its data arrives. */
  const follow = (wake: number, write: number, read: number, readers: number) => {
    const at: number[] = []
    for (let k = 1; k <= readers; k++) {
      const free = k === 1 ? wake + write : at[k - 2]! + read
      at.push(Math.max(free, k * write + read))
    }
    return at
  }
  for (const [wake, write, read] of [
    [0.3, 0.018, 0.011],
    [0.3, 0.01, 0.012],
    [0.001, 0.02, 0.01],
    [0, 0.01, 0.01],
  ] as const) {
    const push = { rate: 0.001, oneWay: wake + 5, readers: 100, write, shared: { wake, read } }
    const all = follow(wake, write, read, 100).map((at) => at + 5)
    near(t, delayFromAcceptance(push), all.reduce((a, b) => a + b) / 100, 1e-12, `${wake}, ${write}, ${read}`)
    const middle = all.toSorted((a, b) => a - b)[49]!
    near(t, batchedQuantile(push, 0.495), middle, 1e-6, 'the median position, without waiting')
  }
  const alone = { rate: 1, oneWay: 0.3, readers: 1, write: 0.02 }
  near(
    t,
    delayFromAcceptance({ ...alone, shared: { wake: 0.3, read: 0.01 } }),
    delayFromAcceptance(alone),
    1e-12,
    'equal for a single reader',
  )
  t.end()
})
