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
const of = (need: Partial<Need>) => rank({ ...NEED, ...need })

t.test('what binds a transport, and where it would change places, in words', async (t) => {
  t.same(
    of({}).candidates.map(({ name, binding, changes }) => [name, binding, changes]),
    [
      ['ws', 'none', 'at no rate near'],
      ['sse', '6 connections an origin', 'at no rate near'],
      ['longpoll', 'a request a message', 'with sse at 200/s'],
      ['poll 250 ms', '0.99 × 0.25 s + 20 ms', 'with longpoll at 4/s'],
    ],
  )
  t.match(of({ http: '2' }).candidates, [
    { binding: 'a connection beside the one of HTTP/2' },
    { binding: '100 streams' },
  ])
  t.match(of({ latency: 0.021, tabs: 6 }).candidates, [{ name: 'ws', changes: '–' }])
})

t.test('why one is dropped, in words', async (t) => {
  const why = (need: Partial<Need>) => of(need).refused.map(({ name, why }) => `${name}: ${why}`)
  t.same(why({ latency: 0.1 }), ['poll: 0.99 of the interval and the way are above 100 ms, even at 100 ms'])
  const connections = '6 pages hold all 6 connections that a browser opens to an origin over HTTP/1.1'
  t.same(why({ tabs: 6 }), [`longpoll: ${connections}`, `sse: ${connections}`])
  const streams = '100 pages hold all 100 streams of the connection'
  t.same(why({ tabs: 100, http: '2' }), [`longpoll: ${streams}`, `sse: ${streams}`])
  const proxy = 'a proxy that cuts after 20 s idle is quicker than its sign of life each 25 s'
  t.same(why({ proxyIdle: 20 }), [`longpoll: ${proxy}`, `ws: ${proxy}`])
  t.equal(why({ rtt: 3 }).at(-1), 'ws: its p99 of 1500 ms is above the budget')
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
    [['--payload', '5000'], /1 ws.*= sse/s],
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
