import t from 'tap'
import { intervalOf, pollName } from '../../../benchmarks/model/costs.ts'
import type { Coefficients } from '../../../benchmarks/model/cpu.ts'
import { breakEvensOf, cheapest, rank } from '../../../benchmarks/model/ranking.ts'
import { DEFAULT_REQUIREMENTS, type Requirements } from '../../../benchmarks/model/requirements.ts'

const NEED: Requirements = { ...DEFAULT_REQUIREMENTS, subscribers: 20_000 }
const HEADERS = { poll: 500, longpoll: 500 }
const of = (need: Partial<Requirements>, coefficients?: Coefficients) =>
  rank({ ...NEED, ...need }, HEADERS, coefficients)
const names = (need: Partial<Requirements>) => of(need).candidates.map(({ name }) => name)

t.test('few messages and a low latency: a push is cheapest, followed by all that fit', async (t) => {
  const { candidates, refused } = of({})
  t.same(refused, [])
  t.same(
    candidates.map(({ way }) => way),
    ['ws', 'sse', 'longpoll', 'poll'],
  )
  t.same(
    candidates.map(({ binding }) => binding.what),
    ['nothing', 'connections', 'requests', 'interval'],
  )
  t.ok(candidates.every(({ p99, radio }) => p99 <= NEED.latency && radio > 0 && radio <= 1))
  t.ok(candidates.every(({ bytes, down }) => down > NEED.payload && down < bytes))
  t.equal(candidates.at(-1)!.name, 'poll 250 ms', 'the longest interval within the budget')
  t.equal(candidates[0]!.cores, null, 'no theory of that')
})

t.test('many messages share a response: polling is cheapest, up to a rate', async (t) => {
  const many = { rate: 20, latency: 6 }
  const { candidates } = of(many)
  t.equal(candidates[0]!.name, 'poll 5 s')
  const { other, rate } = candidates[0]!.change!
  t.equal(other, candidates[1]!.name)
  t.ok(rate < 20)
  const swapped = names({ ...many, rate })
  t.ok(swapped.indexOf('poll 5 s') > swapped.indexOf(other), 'the ranks are swapped at that rate')

  const { above, below } = breakEvensOf({ ...NEED, ...many }, HEADERS)
  t.equal(above, null)
  t.equal(names({ ...many, rate: below!.rate })[0], below!.name)
  const before = of({ ...many, rate: below!.rate * 1.06 }).candidates
  t.ok(
    before.findIndex(({ way }) => way === 'poll') <= before.findLastIndex(({ tie }) => tie) + 1,
    'but not before',
  )
  const back = breakEvensOf({ ...NEED, latency: 6 }, HEADERS)
  t.equal(back.below, null)
  t.equal(back.above!.name, 'poll 5 s')
})

t.test('a response of several pages counts each page', async (t) => {
  const [poll] = of({ rate: 1000, latency: 60 }).candidates.filter(({ way }) => way === 'poll')
  t.equal(poll!.name, 'poll 60 s')
  // 600 responses of 100 messages in 60 s, each with headers: more than one hundredth of the headers per message,
  // excluding TCP.
  t.ok(poll!.bytes > 200 + HEADERS.poll / 100)
})

t.test('transports that do not fit are listed with the reason', async (t) => {
  const refused = (need: Partial<Requirements>) => of(need).refused.map(({ way, why }) => [way, why])
  t.same(refused({ latency: 0.1 }), [['poll', { what: 'interval', least: 0.1, budget: 0.1 }]])
  const connections = { what: 'connections', tabs: 6, most: 6 }
  t.same(refused({ tabs: 6 }), [
    ['longpoll', connections],
    ['sse', connections],
  ])
  t.same(refused({ tabs: 6, http: '2' }), [])
  const streams = { what: 'streams', tabs: 100, most: 100 }
  t.same(refused({ tabs: 100, http: '2' }), [
    ['longpoll', streams],
    ['sse', streams],
  ])
  t.same(refused({ proxyIdle: 20 }), [
    ['longpoll', { what: 'proxy', idle: 20, beat: 25 }],
    ['ws', { what: 'proxy', idle: 20, beat: 25 }],
  ])
  const far = of({ rtt: 3 })
  t.same(far.candidates, [], 'the one-way delay alone exceeds the budget')
  t.match(far.refused[3], { way: 'ws', why: { what: 'delay', p99: 1.5, budget: 0.5 } })
  t.same(breakEvensOf({ ...NEED, rtt: 3 }, HEADERS), { above: null, below: null }, 'at any rate')
  t.same(
    of({ http: '2' }).candidates.map(({ binding }) => binding.what),
    ['second connection', 'streams', 'requests', 'interval'],
  )
})

t.test('a single candidate has no rank change', async (t) => {
  t.same(
    of({}).candidates.map(({ way, change }) => [way, change?.other]),
    [
      ['ws', undefined],
      ['sse', undefined],
      ['longpoll', 'sse'],
      ['poll', 'longpoll'],
    ],
    'WebSocket always needs fewer bytes than SSE',
  )
  t.match(of({ latency: 0.021, tabs: 6 }).candidates, [{ way: 'ws', change: null, tie: false }])
})

t.test('a tie is within 5 %', async (t) => {
  t.same(
    of({ payload: 5000 })
      .candidates.slice(0, 2)
      .map(({ name, tie }) => [name, tie]),
    [
      ['ws', false],
      ['sse', true],
    ],
  )
})

/** A cost that is equal for any number of subscribers. */
const each = (value: number, low: number | null = null, high: number | null = null) => [
  { subscribers: 100, cpu: { value, low, high } },
]
const polls = (value: number) => [{ messages: 0, cpu: { value, low: null, high: null } }]

t.test('CPU from measured coefficients', async (t) => {
  const coefficients = { deliveries: new Map([['ws', each(40)] as const]), polls: polls(100) }
  const cores = Object.fromEntries(of({}, coefficients).candidates.map(({ name, cores }) => [name, cores]))
  t.match(cores, { sse: null, longpoll: null })
  t.ok(Math.abs(cores.ws! - (20_000 * (0.1 + 1 / 30) * 40) / 1e6) < 0.01, 'deliveries and heartbeats')
  t.ok(Math.abs(cores['poll 250 ms']! - (20_000 * 4 * 100) / 1e6) < 1e-6)
})

t.test('overlapping intervals tie', async (t) => {
  const prices = { gigabyte: 0, core: 100 }
  const tie = (low: number) => {
    const deliveries = new Map([
      ['ws', each(10, 8, 14)],
      ['sse', each(16, low, 20)],
      ['longpoll', each(1000)],
    ] as const)
    const { candidates } = rank(NEED, HEADERS, { deliveries, polls: polls(1000) }, prices)
    t.equal(candidates[0]!.way, 'ws')
    return candidates[1]!.tie
  }
  t.equal(tie(11), true)
  t.equal(tie(15.9), false)
})

t.test(
  'cheapest() returns the first of the ranking, by price if all CPU is known, otherwise by bytes',
  (t) => {
    const coefficients = (cpu: number): Coefficients => ({
      deliveries: new Map([
        ['longpoll', each(1e-6)],
        ['sse', each(1e-6)],
        ['ws', each(cpu)],
      ]),
      polls: polls(1e-6),
    })
    const prices = { gigabyte: 0.09, core: 25 }
    for (const known of [undefined, coefficients(1e-6), coefficients(1e7)]) {
      const { candidates } = rank(NEED, HEADERS, known, prices)
      t.equal(cheapest(NEED, HEADERS, known, prices), candidates[0]!.way)
      t.equal(candidates[0]!.price === null, known === undefined)
    }
    t.equal(cheapest(NEED, HEADERS), 'ws')
    t.equal(cheapest(NEED, HEADERS, coefficients(1e-6), prices), 'ws')
    t.not(cheapest(NEED, HEADERS, coefficients(1e7), prices), 'ws', 'expensive CPU')
    t.equal(cheapest({ ...NEED, latency: 0 }, HEADERS), undefined, 'none fits')
    t.end()
  },
)

t.test('parses names of polling transports', (t) => {
  for (const interval of [0.1, 0.25, 1, 60]) t.equal(intervalOf(pollName(interval)), interval)
  for (const name of ['ws', 'poll', 'poll soon', 'publish only']) t.equal(intervalOf(name), undefined)
  t.end()
})
