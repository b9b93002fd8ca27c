import t from 'tap'
import {
  adviceFor,
  cheapestFor,
  coefficientsOf,
  isWhole,
  type Requirements,
} from '../../benchmarks/advice.ts'
import { advise } from '../../benchmarks/advise.ts'
import { FORMAT } from '../../benchmarks/json.ts'
import { BROWSER_HEADERS, DEFAULT_REQUIREMENTS } from '../../benchmarks/model/requirements.ts'
import { headersOf } from '../../benchmarks/profiles.ts'

const NEED: Requirements = { ...DEFAULT_REQUIREMENTS, subscribers: 20_000 }
const of = (need: Partial<Requirements>) => adviceFor({ ...NEED, ...need })

t.test('texts of limits and of rank changes', async (t) => {
  t.same(
    of({}).candidates.map(({ name, binding, changes }) => [name, binding, changes]),
    [
      ['ws', 'none', 'none nearby'],
      ['sse', '6 connections per origin', 'none nearby'],
      ['longpoll', 'one request per message', 'with sse at 200/s'],
      ['poll 250 ms', '0.99 × 0.25 s + 20 ms', 'with longpoll at 4/s'],
    ],
  )
  t.match(of({ http: '2' }).candidates, [
    { binding: 'a connection beside HTTP/2' },
    { binding: '100 streams' },
  ])
  t.match(of({ latency: 0.021, tabs: 6 }).candidates, [{ name: 'ws', changes: '–' }])
})

t.test('messages of the client make the transports without a socket dearer', async (t) => {
  const bytes = (need: Partial<Requirements>) =>
    Object.fromEntries(of({ tabs: 1, ...need }).candidates.map(({ name, bytes }) => [name, bytes]))
  const [silent, talks] = [bytes({}), bytes({ back: 0.1 })]
  const post = talks.sse! - silent.sse!
  t.ok(post > 1000, 'a POST with the headers of a browser, and its response')
  t.ok(talks.ws! - silent.ws! < post / 2)
  for (const name of ['longpoll', 'poll 250 ms']) t.ok(Math.abs(talks[name]! - silent[name]! - post) < 1e-6)
  t.match(
    of({ back: 0.1 }).verdict,
    /radio on for [\d.]+ % of the time, and takes 58.9 MB of the server’s memory/,
  )
  t.ok(of({ back: 1 }).candidates[0]!.radio > of({}).candidates[0]!.radio)
})

t.test('the model has the header sizes of the browser profile', (t) => {
  for (const kind of ['poll', 'longpoll'] as const) {
    t.equal(BROWSER_HEADERS, headersOf('browser', kind, '127.0.0.1:40000').length, kind)
  }
  t.end()
})

t.test('texts of the reasons for exclusion', async (t) => {
  const why = (need: Partial<Requirements>) => of(need).refused.map(({ name, why }) => `${name}: ${why}`)
  t.same(why({ latency: 0.1 }), [
    'poll: 0.99 of the interval plus the one-way delay exceeds 100 ms, even at 100 ms',
  ])
  const connections = '6 pages use all 6 connections that a browser opens to an origin over HTTP/1.1'
  t.same(why({ tabs: 6 }), [`longpoll: ${connections}`, `sse: ${connections}`])
  const streams = '100 pages use all 100 streams of the connection'
  t.same(why({ tabs: 100, http: '2' }), [`longpoll: ${streams}`, `sse: ${streams}`])
  const proxy = 'a proxy closes connections after 20 s idle, but its heartbeat comes every 25 s'
  t.same(why({ proxyIdle: 20 }), [`longpoll: ${proxy}`, `ws: ${proxy}`])
  t.equal(why({ rtt: 3 }).at(-1), 'ws: its p99 of 1500 ms exceeds the budget')
})

/** Results with these costs for any number of subscribers. */
function results(costs: Partial<Record<'longpoll' | 'sse' | 'ws' | 'poll', number>>, subscribers = 1000) {
  const { poll, ...held } = costs
  return {
    hot: Object.entries(held).flatMap(([kind, cpu]) =>
      [10, subscribers].map((count) => ({
        kind,
        subscribers: count,
        cpu: { value: cpu, low: cpu * 0.99, high: cpu * 1.01 },
      })),
    ),
    ceiling: poll === undefined ? [] : [0, 1, 100].map((messages) => ({ messages, cpuPerRequest: poll })),
  }
}

t.test('coefficients of a run: CPU of warmed-up servers by number of subscribers', async (t) => {
  const coefficients = coefficientsOf(results({ ws: 10, poll: 28 }))
  t.equal(coefficients.subscribers, 1000)
  t.same([...coefficients.deliveries.keys()], ['ws'])
  t.match(coefficients.deliveries.get('ws'), [{ subscribers: 10, cpu: { value: 10 } }, { subscribers: 1000 }])
  t.match(coefficients.polls, [{ messages: 0, cpu: { value: 28 } }, { messages: 1 }, { messages: 100 }])
  t.notOk(isWhole(coefficients))
  t.ok(isWhole(coefficientsOf(results({ ws: 10, sse: 10, longpoll: 40, poll: 28 }))))
  t.same(
    coefficientsOf({ hot: [], ceiling: [] }),
    { subscribers: 0, deliveries: new Map(), polls: [] },
    'a quick run',
  )
})

t.test('CPU from coefficients, and the price', async (t) => {
  const of = (name: string) =>
    adviceFor(NEED, coefficientsOf(results({ ws: 10, poll: 28 }))).candidates.find(
      (one) => one.name === name,
    )!
  const near = (found: number | null, wanted: number) =>
    t.ok(Math.abs(found! / wanted - 1) < 1e-6, `${found}, ${wanted}`)
  near(of('poll 250 ms').cores, (20_000 * 4 * 28) / 1e6)
  t.equal(of('longpoll').cores, null, 'not measured')
  t.equal(of('longpoll').price, null)

  const coefficients = coefficientsOf(results({ ws: 10, sse: 12, longpoll: 900, poll: 28 }))
  const { candidates } = adviceFor(NEED, coefficients, { gigabyte: 0, core: 100 })
  t.same(
    candidates.map(({ cores }) => cores),
    candidates.map(({ cores }) => cores!).sort((a, b) => a - b),
    'without a traffic price, CPU alone decides',
  )
  for (const { price, cores } of candidates) near(price, cores! * 100)
  const at = { subscribers: 100, rate: 0.1, payload: 200, rtt: 0.04 }
  t.equal(cheapestFor({ ...at, latency: 0.01 }, coefficients), undefined)
  t.equal(cheapestFor({ ...at, latency: 60, rate: 100 }, coefficients), 'poll')
  t.equal(cheapestFor({ ...at, latency: 0.5 }, undefined), 'ws')
})

t.test('output of advise', async (t) => {
  const whole = { ws: 10, sse: 12, longpoll: 40, poll: 28 }
  const text = (subscribers: number) => JSON.stringify({ format: FORMAT, ...results(whole, subscribers) })
  const directory = t.testdir({
    'few.json': text(100),
    'many.json': text(20_000),
    'quick.json': JSON.stringify({ format: FORMAT, hot: [], ceiling: [] }),
  })
  const cases: [args: string[], out: RegExp][] = [
    [['--help'], /--latency-p99 MS/],
    [[], /Use WebSocket here, because .*1 ws.*Ranked by network bytes.*CPU is unknown/s],
    [['--payload', '5000'], /About the same: Server-Sent Events\..*1 ws.*= sse/s],
    [['--latency-p99', '1', '--rtt', '100'], /poll: excluded: .*Nothing fits/s],
    [
      ['--latency-p99', '21', '--tabs', '6'],
      /because nothing else fits and 99 of 100 messages arrive within 20 ms, where 21 ms is acceptable\./,
    ],
    [['--tabs', '6', '--rtt', '0'], /sse: excluded: 6 pages.*longpoll|longpoll: excluded.*sse: excluded/s],
    [
      ['--results', `${directory}/few.json`, '--subscribers', '1000'],
      /it is the cheapest \([\d.,]+ a month; .*price\/month.*0\.09 per GB.*extrapolated: the run had at most 100 subscribers/s,
    ],
    [['--results', `${directory}/quick.json`], /Ranked by network bytes.*CPU is unknown/s],
    [
      ['--results', `${directory}/many.json`, '--users', '5000', '--price-per-core', '0'],
      /CPU is that of a warmed-up server/,
    ],
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

t.test('errors name invalid flags and files', async (t) => {
  for (const [args, why] of [
    [['--results', '/nowhere'], /--results '\/nowhere' can't be read/],
    [['--results', 'benchmarks/cli.ts'], /is not JSON/],
    [['--results', 'package.json'], new RegExp(`must be output of bench --json, format ${FORMAT}`)],
    [['--rate', 'fast'], /--rate 'fast' must be a number/],
  ] as const) {
    await t.rejects(advise([...args]), { message: why, exitCode: 2 })
  }
})
