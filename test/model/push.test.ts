import t, { type Test } from 'tap'
import {
  joinedBusy,
  joinedDelay,
  joinedQuantile,
  pushDelay,
  pushLoad,
  pushRequests,
  takenDelay,
} from '../../model/push.ts'
import { poissonTimes, randomOf } from '../../model/random.ts'

const near = (t: Test, found: number, wanted: number, part: number, name: string) =>
  t.ok(Math.abs(found - wanted) <= part * Math.abs(wanted), `${name}: ${found}, not ${wanted}`)

/** A server that writes rows: each message its own, or all that wait in one. */
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

t.test('message by message: the queue that is followed', async (t) => {
  for (const rate of [1, 10, 18]) {
    const push = { rate, oneWay: 0, readers: 10, write: 0.005 }
    near(t, follow(rate, 10, 0.005, false).mean, pushDelay(push), 0.08, `rate ${rate}`)
  }
  t.equal(pushLoad({ rate: 10, oneWay: 0, readers: 10, write: 0.005 }), 0.5)
  t.equal(pushDelay({ rate: 20, oneWay: 0, readers: 10, write: 0.005 }), Number.POSITIVE_INFINITY)
  // The textbook's M/D/1 at half load: the wait is half a service.
  t.equal(pushDelay({ rate: 0.5, oneWay: 0, readers: 1, write: 1 }), 1.5)
})

t.test('turn by turn: the queue that is followed, over full load, too', async (t) => {
  for (const rate of [1, 10, 40]) {
    const push = { rate, oneWay: 0, readers: 10, write: 0.005 }
    const found = follow(rate, 10, 0.005, true)
    near(t, found.mean, joinedDelay(push), 0.02, `rate ${rate}`)
    for (const q of [0.25, 0.5, 0.9, 0.99]) near(t, found.quantile(q), joinedQuantile(push, q), 0.03, `p${q}`)
  }
  near(
    t,
    joinedBusy({ rate: 1e4, oneWay: 0, readers: 10, write: 0.005 }),
    1,
    1e-6,
    'never above all the time',
  )
})

t.test('a way of d is added; requests are one a session', async (t) => {
  const push = { rate: 1, oneWay: 0, readers: 1, write: 0.001 }
  const far = { ...push, oneWay: 0.05 }
  near(t, pushDelay(far), pushDelay(push) + 0.05, 1e-9, 'by message')
  near(t, joinedDelay(far), joinedDelay(push) + 0.05, 1e-9, 'by turn')
  near(t, joinedQuantile(far, 0.5), joinedQuantile(push, 0.5) + 0.05, 1e-9, 'quantile')
  t.equal(pushRequests(0.5, 600), 1 / 300)
})

t.test('from when it is taken, only its row counts', (t) => {
  const push = { rate: 10, oneWay: 0.02, readers: 4, write: 0.001 }
  const row = [1, 2, 3, 4].map((k) => 0.02 + k * 0.001)
  near(t, takenDelay(push), row.reduce((a, b) => a + b) / 4, 1e-12, 'the mean over the readers')
  t.ok(takenDelay(push) < joinedDelay(push))
  t.end()
})
