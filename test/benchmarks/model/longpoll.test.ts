import t, { type Test } from 'tap'
import {
  longPollBytes,
  longPollCycle,
  longPollDelay,
  longPollEmptyShare,
  longPollGap,
  longPollQuantile,
  longPollRequests,
  longPollUtilization,
  MAX_UTILIZATION,
} from '../../../benchmarks/model/longpoll.ts'
import { poissonTimes, randomOf } from '../../../benchmarks/model/random.ts'
import { simulateLongPoll } from '../../../benchmarks/model/simulation.ts'

/** Simulates one reader message by message. */
function follow(rate: number, gap: number, wait: number, seed: number) {
  const times = poissonTimes(randomOf(seed), rate, 40_000 / rate)
  const waits: number[] = []
  let requests = 0
  let empty = 0
  let back = 0
  let i = 0
  while (i < times.length) {
    requests++
    const answered = times[i]! <= back ? back : Math.min(times[i]!, back + wait)
    const first = i
    while (i < times.length && times[i]! <= answered) waits.push(answered - times[i++]!)
    if (i === first) empty++
    back = answered + gap
  }
  waits.sort((a, b) => a - b)
  return {
    mean: waits.reduce((a, b) => a + b, 0) / waits.length,
    quantile: (q: number) => waits[Math.floor(q * waits.length)]!,
    requests: requests / waits.length,
    emptyShare: empty / requests,
  }
}

const near = (t: Test, found: number, wanted: number, part: number, name: string) =>
  t.ok(Math.abs(found - wanted) <= part * Math.abs(wanted), `${name}: ${found}, not ${wanted}`)

t.test('one reader: equals the simulation', async (t) => {
  for (const [rate, gap, wait] of [
    [5, 0.1, 25],
    [0.5, 0.3, 2],
    [20, 0.2, 25],
  ] as const) {
    const polling = { rate, oneWay: 0, gap, wait }
    const found = follow(rate, gap, wait, 17)
    near(t, found.mean, longPollDelay(polling), 0.04, 'delay')
    for (const q of [0.9, 0.99]) near(t, found.quantile(q), longPollQuantile(polling, q), 0.04, `p${q}`)
    near(t, found.requests, longPollRequests(polling), 0.02, 'requests')
    if (wait === 2) near(t, found.emptyShare, longPollEmptyShare(polling), 0.03, 'empty share')
    t.ok(found.quantile(0.999999) <= gap + 1e-9, 'no wait exceeds the gap')
  }
})

t.test('at the limits', async (t) => {
  const polling = { rate: 0.01, oneWay: 0.05, gap: 0.1, wait: 25 }
  t.equal(longPollQuantile(polling, 0.5), 0.05, 'a rare message never falls into the gap')
  near(t, longPollDelay({ ...polling, rate: 1e6 }), 0.05 + 0.05, 0.001, 'constant messages: half a gap')
  near(t, longPollCycle({ ...polling, rate: 1e6 }), 0.1, 0.001, 'constant messages: a cycle is the gap')
  // Responses leave every 2 ms, and their requests return at the same intervals, so none waits for another.
  const many = { ...polling, readers: 10, request: 0.001, write: 0.002 }
  near(t, longPollGap(many), 0.1 + 0.001, 1e-9, 'a gap without a queue')
  // The requests return during the row, and wait for its end at 20 ms, then for each other.
  near(t, longPollGap({ ...many, gap: 0 }), 0.02 + 5.5 * 0.001 - 5.5 * 0.002, 1e-9, 'a gap with a queue')
  t.equal(longPollGap({ ...many, readers: 1 }), 0.1)
  t.equal(
    longPollUtilization({ rate: 2, oneWay: 0, gap: 0, wait: 1, readers: 10, request: 0.001, write: 0.002 }),
    0.06,
  )
  t.equal(longPollUtilization(polling), 0)
  t.equal(MAX_UTILIZATION, 0.1)
})

t.test('bytes: a rare message includes the empty responses', async (t) => {
  const bytes = { empty: 300, full: 400, message: 150 }
  near(t, longPollBytes({ rate: 0.001, oneWay: 0, gap: 0, wait: 10 }, bytes), 300 * 100, 0.02, 'rare')
  near(t, longPollBytes({ rate: 1, oneWay: 0, gap: 0, wait: 1e9 }, bytes), 550, 1e-6, 'one request each')
})

t.test('the server simulation equals the formula for one reader', async (t) => {
  const polling = { rate: 4, oneWay: 0.02, gap: 0.1, wait: 0.3 }
  const times = poissonTimes(randomOf(5), 4, 10_000)
  const found = simulateLongPoll({ ...polling, readers: 1, request: 0, write: 0, times })
  near(t, found.delay, longPollDelay(polling), 0.02, 'delay')
  near(t, found.quantile(0.99), longPollQuantile(polling, 0.99), 0.02, 'p99')
  near(t, found.requests, longPollRequests(polling), 0.02, 'requests')
  near(t, found.emptyShare, longPollEmptyShare(polling), 0.04, 'empty share')
})

t.test('the server simulation is close to the formula for many readers at low load', async (t) => {
  const polling = {
    rate: 2,
    oneWay: 0.02,
    gap: 0.1,
    wait: 25,
    readers: 50,
    request: 0.0002,
    write: 0.0002,
  }
  t.ok(longPollUtilization(polling) <= MAX_UTILIZATION)
  const found = simulateLongPoll({ ...polling, times: poissonTimes(randomOf(6), 2, 2000) })
  near(t, found.delay, longPollDelay(polling), 0.06, 'delay')
  near(t, found.quantile(0.5), longPollQuantile(polling, 0.5), 0.1, 'p50, the position in the row')
  near(t, found.quantile(0.99), longPollQuantile(polling, 0.99), 0.1, 'p99')
  near(t, found.requests, longPollRequests(polling), 0.03, 'requests')
})

t.test('the server simulation: known cases', async (t) => {
  // One message to three held readers: their responses leave after 1, 2 and 3 writes.
  const one = simulateLongPoll({
    times: [1000],
    oneWay: 0.5,
    gap: 1,
    wait: 1e9,
    readers: 3,
    request: 0,
    write: 0.1,
  })
  near(t, one.delay, 0.5 + 0.2, 1e-6, 'mean')
  near(t, one.quantile(0), 0.6, 1e-6, 'first')
  near(t, one.quantile(1), 0.8, 1e-6, 'last')
  t.equal(one.requests, 1)
  t.equal(one.emptyShare, 0)

  // Overload: the server is nearly always busy, and the formula would underestimate the delay.
  const full = { rate: 100, oneWay: 0, gap: 0.001, wait: 25, readers: 20, request: 0.001, write: 0.001 }
  const found = simulateLongPoll({ ...full, times: poissonTimes(randomOf(2), 100, 20) })
  // A cycle of all readers takes 40 ms; a message waits between half of it and all of it on average.
  t.ok(found.delay > 0.015 && found.delay < 0.05, `delay ${found.delay}`)
  near(t, found.requests, 1 / (100 * 0.04), 0.1, 'one request per cycle')
})

t.test('messages that arrive before the first response share it', async (t) => {
  const held = {
    oneWay: 0,
    gap: 0,
    wait: 1e9,
    readers: 2,
    request: 0,
    write: 0,
    wake: 0.2,
    publish: 1,
    turn: 0.4,
  }
  const of = (...times: number[]) => simulateLongPoll({ ...held, times })
  // The server wakes up at 10.2, accepts the message at 10.8, and responds at 11.2.
  near(t, of(10).delay, 0.4, 1e-9, 'from the acceptance')
  // The second one is accepted at 11.8, and both leave at 12.2.
  const joined = of(10, 11)
  t.equal(joined.requests, 0.5)
  near(t, joined.delay, (1.4 + 0.4) / 2, 1e-9, 'both wait for the second one')
  t.equal(of(10, 11.3).requests, 1, 'after the row')
  // One process reads for both: the second request returns three seconds after the first one, and finds a message.
  const slow = simulateLongPoll({ ...held, client: 3, times: [10, 12] })
  t.equal(slow.requests, 1)
  near(t, slow.delay, (0.4 + 0.4 + 0.4 + 1.4) / 4, 1e-9, 'the message waits for the request')
  // Only the second of three messages lies in the window, and so do its request and its response.
  const windowed = simulateLongPoll({ ...held, times: [10, 20, 30], window: { from: 15, to: 25 } })
  t.equal(windowed.requests, 1)
  near(t, windowed.delay, 0.4, 1e-9, 'in the window')
})

t.test('the formula for messages that share a response equals the simulation', async (t) => {
  const polling = { rate: 30, oneWay: 0, gap: 0.001, wait: 25, join: 0.002 }
  const times = poissonTimes(randomOf(9), 30, 2000)
  // Waking up takes no time of the server, so the join is the same for each first message.
  const found = simulateLongPoll({ ...polling, readers: 1, request: 0, write: 0, wake: 0.002, times })
  near(t, found.requests, longPollRequests(polling), 0.01, 'requests')
  near(t, longPollRequests(polling), 1 / (1 + 0.03 ** 2 / 2 + 0.97 * 0.06), 0.001, 'by hand')
})
