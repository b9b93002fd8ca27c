import t from 'tap'
import { type Coefficients, type Cost, type CpuInput, cpuOf } from '../../../benchmarks/model/cpu.ts'

const cost = (value: number): Cost => ({ value, low: value * 0.9, high: value * 1.2 })
const coefficients: Coefficients = {
  deliveries: new Map([
    [
      'sse',
      [
        { subscribers: 10, cpu: cost(30) },
        { subscribers: 1000, cpu: cost(10) },
      ],
    ],
    ['longpoll', [{ subscribers: 100, cpu: cost(40) }]],
  ] as const),
  polls: [
    { messages: 0, cpu: cost(20) },
    { messages: 1, cpu: cost(24) },
    { messages: 100, cpu: cost(420) },
  ],
}
const of = (asked: Partial<CpuInput>, known = coefficients) =>
  cpuOf({ way: 'sse', interval: 0, rate: 1, subscribers: 10, rtt: 0, beat: 25, limit: 100, ...asked }, known)
const near = (found: Cost | undefined, wanted: number) =>
  t.ok(Math.abs(found!.value / wanted - 1) < 1e-9, `${found!.value}, not ${wanted}`)

t.test('a push: deliveries and heartbeats, by subscribers per message', async (t) => {
  near(of({}), 1.04 * 30)
  near(of({ subscribers: 1000 }), 1.04 * 10)
  near(of({ subscribers: 100 }), 1.04 * 20)
  near(of({ subscribers: 1 }), 1.04 * 30)
  near(of({ subscribers: 1e6 }), 1.04 * 10)
  near(of({ rate: 0 }), 0.04 * 30)
  t.same(of({ rate: 0.96 }), { value: 30, low: 27, high: 36 }, 'with its interval')
  t.equal(of({ way: 'ws' }), undefined, 'not measured')
})

t.test('long polling: at most one request per message, fewer if messages share a response', async (t) => {
  near(of({ way: 'longpoll', rate: 0 }), 40 / 25)
  near(of({ way: 'longpoll', rate: 4 }), 4 * 40)
  t.ok(of({ way: 'longpoll', rate: 100, rtt: 0.1 })!.value < 25 * 40)
})

t.test('polling: requests, by messages per response', async (t) => {
  near(of({ way: 'poll', interval: 2, rate: 0 }), 10)
  near(of({ way: 'poll', interval: 1, rate: 1 }), 24)
  near(of({ way: 'poll', interval: 0.1, rate: 5 }), 10 * 22)
  near(of({ way: 'poll', interval: 1, rate: 50.5 }), 24 + (49.5 / 99) * 396)
  t.equal(of({ way: 'poll', interval: 1 }, { ...coefficients, polls: [] }), undefined)
  const known = {
    ...coefficients,
    polls: [{ messages: 0, cpu: { value: 20, low: null, high: null } }, ...coefficients.polls.slice(1)],
  }
  t.equal(
    of({ way: 'poll', interval: 0.1, rate: 5 }, known)!.low,
    null,
    'no interval without measured intervals',
  )
})
