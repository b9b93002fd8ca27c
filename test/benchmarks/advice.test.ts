import t from 'tap'
import { cheapestFor, coefficientsOf, type Need, rank } from '../../benchmarks/advice.ts'
import { advise } from '../../benchmarks/advise.ts'

const NEED: Need = {
  subscribers: 20_000,
  rate: 0.1,
  payload: 200,
  latency: 0.5,
  rtt: 0.04,
  http: '1.1',
  tabs: 1,
  proxyIdle: 60,
}
const names = (need: Partial<Need>) => rank({ ...NEED, ...need }).candidates.map(({ name }) => name)
const refusals = (need: Partial<Need>) => rank({ ...NEED, ...need }).refused

t.test('few messages and little time: a push', async (t) => {
  const { candidates, refused } = rank(NEED)
  t.same(refused, [])
  t.equal(candidates[0]!.name, 'ws')
  t.ok(candidates.every(({ p99 }) => p99 <= NEED.latency))
  t.equal(
    candidates.find(({ name }) => name.startsWith('poll'))!.name,
    'poll 250 ms',
    'the longest that keeps it',
  )
  t.ok(
    candidates.every(({ bytes }, i) => i === 0 || bytes >= candidates[i - 1]!.bytes),
    'in order',
  )
})

t.test('many messages share an answer: polling is cheapest', async (t) => {
  const { candidates } = rank({ ...NEED, rate: 20, latency: 6 })
  t.equal(candidates[0]!.name, 'poll 5 s')
  t.match(candidates[0]!.changes, /^with \w+ at /)
})

t.test('what does not fit is dropped, with the reason', async (t) => {
  t.match(refusals({ latency: 0.1 }), [{ name: 'poll', why: /0\.99 of the interval/ }])
  t.match(refusals({ tabs: 6 }), [{ name: 'longpoll', why: /6 connections/ }, { name: 'sse' }])
  t.same(refusals({ tabs: 6, http: '2' }), [])
  t.match(refusals({ tabs: 100, http: '2' }), [{ name: 'longpoll', why: /100 streams/ }, { name: 'sse' }])
  t.match(refusals({ proxyIdle: 20 }), [{ name: 'longpoll', why: /sign of life/ }, { name: 'ws' }])
  t.same(names({ rtt: 3 }), [], 'the way alone is longer')
  t.match(rank({ ...NEED, http: '2' }).candidates[0]!.binding, /connection beside/)
})

t.test('a tie is within five parts of a hundred', async (t) => {
  const big = rank({ ...NEED, payload: 5000 }).candidates
  t.same(
    big.slice(0, 2).map(({ name, tie }) => [name, tie]),
    [
      ['ws', false],
      ['sse', true],
    ],
  )
})

const NOTHING = { total: null, idle: null, marginal: null }

t.test('CPU by the coefficients of a run, and the price with it', async (t) => {
  const cpu = (total: number, idle: number | null = null, marginal: number | null = null) => ({
    total: { value: total },
    idle,
    marginal,
  })
  const full = {
    settings: { subscribers: 100, rate: 5 },
    summaries: [
      { section: 'headline', variant: 'ws', cpu: cpu(40, 10, 30) },
      { section: 'headline', variant: 'sse', cpu: cpu(40) },
      { section: 'headline', variant: 'poll 100 ms', cpu: cpu(400, 1000, 20) },
      { section: 'headline', variant: 'poll 1 s', cpu: cpu(100, 100, 10) },
      { section: 'headline', variant: 'publish only', cpu: NOTHING },
      { section: 'rtt', variant: 'longpoll', cpu: cpu(1) },
    ],
  }
  const of = (name: string, need = NEED) =>
    rank(need, coefficientsOf(full)).candidates.find((one) => one.name === name)!
  t.equal(of('ws').cores, (20_000 * (10 + 0.1 * 30)) / 1e6, 'idle, and what comes')
  t.equal(of('sse').cores, (20_000 * 0.1 * 40) / 1e6, 'by the delivery, where no more is known')
  t.equal(of('poll 250 ms').cores, (20_000 * (100 * 4 + 0.1 * 15)) / 1e6, '100 µs a request')
  t.equal(of('longpoll').cores, null, 'not measured')
  t.equal(of('longpoll').price, null)

  const summaries = [...full.summaries, { section: 'headline', variant: 'longpoll', cpu: cpu(200, 1, 180) }]
  const { candidates } = rank(NEED, coefficientsOf({ ...full, summaries }), { gigabyte: 0, core: 100 })
  t.same(
    candidates.map(({ cores }) => cores),
    candidates.map(({ cores }) => cores!).sort((a, b) => a - b),
    'traffic costs nothing: by CPU alone',
  )
  for (const { price, cores } of candidates) t.equal(price, cores! * 100)
  const coefficients = coefficientsOf({ ...full, summaries })
  const at = { rate: 0.1, payload: 200, rtt: 0.04 }
  t.equal(cheapestFor({ ...at, latency: 0.01 }, coefficients), undefined)
  t.equal(cheapestFor({ ...at, latency: 60, rate: 100 }, coefficients), 'poll')
  t.equal(cheapestFor({ ...at, latency: 0.5 }, undefined), 'ws')
  t.equal(coefficientsOf({ ...full, summaries: [] }).perRequest, undefined)
})

t.test('what advise says', async (t) => {
  const summaries = ['poll 250 ms', 'longpoll', 'sse', 'ws'].map((variant) => ({
    section: 'headline',
    variant,
    cpu: { ...NOTHING, total: { value: 50 } },
  }))
  const results = (subscribers: number) =>
    JSON.stringify({ format: 1, settings: { subscribers, rate: 5 }, summaries })
  const directory = t.testdir({ 'few.json': results(10), 'many.json': results(1000) })
  const cases: [args: string[], out: RegExp][] = [
    [['--help'], /--latency-p99 MS/],
    [[], /1 ws.*Ranked by bytes.*CPU is not told/s],
    [['--latency-p99', '1', '--rtt', '100'], /poll: not here: .*No transport fits/s],
    [['--tabs', '6', '--rtt', '0'], /sse: not here: 6 pages.*longpoll|longpoll: not here.*sse: not here/s],
    [
      ['--results', `${directory}/few.json`],
      /price a month.*0\.09 a GB.*extrapolated: measured were 10 subsc/s,
    ],
    [['--results', `${directory}/many.json`, '--users', '5000', '--price-per-core', '0'], /CPU by the coeff/],
  ]
  for (const [args, out] of cases) {
    let said = ''
    t.equal(
      await advise(args, (text) => {
        said += text
      }),
      0,
    )
    t.match(said, out, args.join(' '))
  }
})

t.test('flags and files that are wrong are named', async (t) => {
  for (const [args, why] of [
    [['--results', '/nowhere'], /--results '\/nowhere' can't be read/],
    [['--results', 'cli.ts'], /is no JSON/],
    [['--results', 'package.json'], /must be of bench --json, format 1/],
    [['--rate', 'fast'], /--rate 'fast' must be a number/],
  ] as const) {
    await t.rejects(advise([...args]), { message: why, exitCode: 2 })
  }
})
