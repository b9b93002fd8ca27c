import t from 'tap'
import { coefficientsOf, type Need, rank } from '../../benchmarks/advice.ts'
import { advise } from '../../benchmarks/advise.ts'
import { cli } from '../child.ts'

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

t.test('CPU by the coefficients of a run', async (t) => {
  const cpu = (value: number, idle: number | null = null) => ({ total: { value }, idle })
  const coefficients = coefficientsOf({
    settings: { subscribers: 100, rate: 5 },
    summaries: [
      { section: 'headline', variant: 'ws', cpu: cpu(40) },
      { section: 'headline', variant: 'poll 100 ms', cpu: cpu(400, 1000) },
      { section: 'rtt', variant: 'sse', cpu: cpu(1) },
    ],
  })
  const of = (name: string) => rank(NEED, coefficients).candidates.find((one) => one.name === name)!.cores
  t.equal(of('ws'), (20_000 * 0.1 * 40) / 1e6)
  t.equal(of('poll 250 ms'), (20_000 * 4 * 100) / 1e6, '100 µs a request')
  t.equal(of('sse'), null, 'not measured')
})

t.test('on the command line', async (t) => {
  const said = async (...args: string[]) => {
    const child = cli(t, args)
    const { code } = await child.ended
    return { code, out: child.stdout, err: child.stderr }
  }
  t.match(await said('advise', '--users', '1000', '--price-per-gb', '0.1'), {
    code: 0,
    out: /1 ws.*/,
    err: '',
  })
  for (const args of [
    ['advise', '--http', '3'],
    ['bench', '--nope'],
  ]) {
    const { code, out, err } = await said(...args)
    t.same([code, out, err.trimEnd().split('\n').length], [2, '', 1])
    t.match(err, args[1]!)
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
