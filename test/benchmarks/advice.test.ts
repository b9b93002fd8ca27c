import t from 'tap'
import { cheapestFor, coefficientsOf, type Need, rank } from '../../benchmarks/advice.ts'
import { advise } from '../../benchmarks/advise.ts'
import { FORMAT } from '../../benchmarks/json.ts'
import { headersOf } from '../../benchmarks/profiles.ts'
import { BROWSER_HEADERS } from '../../model/advice.ts'

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

t.test('the model assumes the headers that the browser of the benchmarks sends', (t) => {
  for (const kind of ['poll', 'longpoll'] as const) {
    t.equal(BROWSER_HEADERS, headersOf('browser', kind, '127.0.0.1:40000').length, kind)
  }
  t.end()
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

const SECTIONS = [
  { name: 'headline', rate: 5, rtt: 0 },
  { name: 'rtt', rate: 5, rtt: 40 },
  { name: 'rate 1', rate: 1, rtt: 0 },
  { name: 'idle', rate: 0, rtt: 0 },
]
const settings = { subscribers: 100, rate: 5, rtt: 0 }
const summary = (section: string, variant: string, own: number | null) => ({
  section,
  variant,
  cpu: { own: own === null ? null : { value: own } },
})

t.test('the coefficients of a run: what was measured at each rate, without a round trip', async (t) => {
  const summaries = [
    summary('headline', 'ws', 50),
    summary('rtt', 'ws', 9),
    summary('rate 1', 'ws', 30),
    summary('idle', 'ws', -1),
    summary('headline', 'poll 1 s', 300),
    summary('idle', 'poll 1 s', 200),
    summary('headline', 'sse', null),
    summary('headline', 'ws again', 51),
    summary('headline', 'publish only', null),
  ]
  t.same(coefficientsOf({ settings, sections: SECTIONS, summaries }), {
    subscribers: 100,
    rates: [0, 5],
    held: new Map([
      [
        'ws',
        [
          { rate: 0, cpu: -1 },
          { rate: 1, cpu: 30 },
          { rate: 5, cpu: 50 },
        ],
      ],
    ]),
    polls: new Map([
      [
        1,
        [
          { rate: 0, cpu: 200 },
          { rate: 5, cpu: 300 },
        ],
      ],
    ]),
  })
  const one = {
    settings,
    sections: SECTIONS.slice(0, 1),
    summaries: summaries.filter(({ section }) => section === 'headline'),
  }
  const { rates, held, polls } = coefficientsOf(one)
  t.same(rates, [5, 5])
  t.same(held.get('ws')![0], { rate: 0, cpu: 0 }, 'a push for nobody is none')
  t.same(polls.get(1)![0], { rate: 0, cpu: 300 }, 'a poll is one, whatever it finds')
})

t.test('CPU by the coefficients of a run, and the price with it', async (t) => {
  const some = {
    settings,
    sections: SECTIONS,
    summaries: [
      summary('headline', 'ws', 160),
      summary('idle', 'ws', 10),
      summary('headline', 'sse', 200),
      summary('headline', 'poll 1 s', 100),
    ],
  }
  const of = (name: string, need = NEED) =>
    rank(need, coefficientsOf(some)).candidates.find((one) => one.name === name)!
  t.equal(of('ws').cores, (20_000 * (10 + 0.1 * 30)) / 1e6, 'idle, and what comes')
  t.equal(of('sse').cores, (20_000 * 0.1 * 40) / 1e6, 'by the delivery, where no more is known')
  t.equal(of('poll 250 ms').cores, (20_000 * 400) / 1e6, '100 µs a request')
  t.equal(of('longpoll').cores, null, 'not measured')
  t.equal(of('longpoll').price, null)

  const summaries = [...some.summaries, summary('headline', 'longpoll', 900)]
  const coefficients = coefficientsOf({ ...some, summaries })
  const { candidates } = rank(NEED, coefficients, { gigabyte: 0, core: 100 })
  t.same(
    candidates.map(({ cores }) => cores),
    candidates.map(({ cores }) => cores!).sort((a, b) => a - b),
    'traffic costs nothing: by CPU alone',
  )
  for (const { price, cores } of candidates) t.equal(price, cores! * 100)
  const at = { rate: 0.1, payload: 200, rtt: 0.04 }
  t.equal(cheapestFor({ ...at, latency: 0.01 }, coefficients), undefined)
  t.equal(cheapestFor({ ...at, latency: 60, rate: 100 }, coefficients), 'poll')
  t.equal(cheapestFor({ ...at, latency: 0.5 }, undefined), 'ws')
})

t.test('what advise says', async (t) => {
  const ways = ['poll 250 ms', 'longpoll', 'sse', 'ws']
  const results = (subscribers: number, sections: typeof SECTIONS) =>
    JSON.stringify({
      format: FORMAT,
      settings: { ...settings, subscribers },
      sections,
      summaries: sections.flatMap(({ name, rate }) => ways.map((way) => summary(name, way, 50 * rate))),
    })
  const directory = t.testdir({
    'few.json': results(10, SECTIONS),
    'many.json': results(20_000, SECTIONS),
    'quick.json': results(20_000, SECTIONS.slice(0, 1)),
  })
  const cases: [args: string[], out: RegExp][] = [
    [['--help'], /--latency-p99 MS/],
    [[], /1 ws.*Ranked by bytes.*CPU is not told/s],
    [['--payload', '5000'], /1 ws.*= sse/s],
    [['--latency-p99', '1', '--rtt', '100'], /poll: not here: .*No transport fits/s],
    [['--tabs', '6', '--rtt', '0'], /sse: not here: 6 pages.*longpoll|longpoll: not here.*sse: not here/s],
    [
      ['--results', `${directory}/few.json`],
      /price a month.*0\.09 a GB.*extrapolated: measured were 10 subscribers at 0 to 5 messages/s,
    ],
    [['--results', `${directory}/many.json`, '--rate', '6'], /extrapolated/],
    [['--results', `${directory}/quick.json`], /extrapolated: measured were 20000 subscribers at 5 messages/],
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
    [['--results', 'package.json'], /must be of bench --json, format 3/],
    [['--rate', 'fast'], /--rate 'fast' must be a number/],
  ] as const) {
    await t.rejects(advise([...args]), { message: why, exitCode: 2 })
  }
})
