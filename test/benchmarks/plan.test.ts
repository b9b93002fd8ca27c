import t from 'tap'
import { BENCH_HELP, type BenchOptions, parseBenchOptions, UsageError } from '../../benchmarks/options.ts'
import {
  AA_CONTROL,
  channelsOf,
  PUBLISH_ONLY,
  planOf,
  scheduleOf,
  secondsOf,
  serversOf,
  warmupOf,
} from '../../benchmarks/plan.ts'

const options = (...args: string[]) => parseBenchOptions(args) as BenchOptions

t.test('a one-line error names an invalid flag', async (t) => {
  const cases: [args: string[], why: RegExp][] = [
    [['--nope'], /'--nope'/],
    [['extra'], /extra/],
    [['--transports', 'ws,mqtt'], /--transports 'mqtt' must be one of poll, longpoll, sse, ws/],
    [['--poll-interval', '1'], /--poll-interval '1' must be a number from 10/],
    [['--subscribers', '1.5'], /--subscribers '1\.5' must be a whole number from 1 to 10000/],
    [['--subscribers', '0'], /--subscribers/],
    [['--channels', 'all'], /--channels/],
    [['--rate', '-1'], /--rate/],
    [['--rate', '1e3'], /--rate '1e3'/],
    [['--payload', '4'], /--payload '4' must be a whole number from 8/],
    [['--header-profile', 'curl'], /--header-profile/],
    [['--seed', 'x'], /--seed/],
    [['--url', 'https://example.com'], /--url/],
    [['--url', 'nothing'], /--url/],
  ]
  for (const [args, why] of cases) {
    try {
      parseBenchOptions(args)
      t.fail(args.join(' '))
    } catch (error) {
      t.ok(error instanceof UsageError)
      t.match((error as Error).message, why)
      t.notMatch((error as Error).message, /\n/)
      t.equal((error as UsageError).exitCode, 2)
    }
  }
  t.equal(parseBenchOptions(['--help']), 'help')
  for (const name of ['--quick', '--poll-interval', '--url', '--html']) t.ok(BENCH_HELP.includes(name))
})

t.test('the complete plan', async (t) => {
  const sections = planOf(options())
  t.same(
    sections.map(({ name, blocks }) => [name, blocks.length, blocks[0]!.length]),
    [
      ['headline', 7, 8],
      ['rtt', 3, 5],
      ['rate 5', 3, 6],
      ['idle', 6, 7],
    ],
  )
  const plans = sections.flatMap(({ blocks }) => blocks.flat())
  const seconds = plans.reduce((sum, plan) => sum + secondsOf(plan), 0)
  t.ok(seconds + 4 * serversOf(plans) < 17.5 * 60, `${seconds} s, ${serversOf(plans)} servers`)
  const still = sections.at(-1)!.blocks.map((block) => block.map(({ variant }) => variant.name).sort())
  t.same(still[2], ['longpoll', PUBLISH_ONLY, 'sse', 'ws'], 'polling has one round')
  t.same(still[1], still[2])
  const names = sections[0]!.blocks.map((block) => block.map(({ variant }) => variant.name))
  t.ok(names.every((list) => list.includes(AA_CONTROL) && list.includes(PUBLISH_ONLY)))
  t.ok(new Set(names.map(String)).size > 4, 'each block has its own order')
  t.same(planOf(options()), sections, 'the same seed gives the same plan')
  t.notSame(planOf(options('--seed', '2')), sections)
  t.notOk(planOf(options('--rtt', '10')).some(({ name }) => name === 'rtt'))
})

t.test(
  'each variant has a server, and a second one in the headline; other sections reuse them',
  async (t) => {
    const [headline, ...others] = planOf(options())
    t.same(
      headline!.blocks.map((block) => [...new Set(block.map(({ server }) => server))]),
      [[0], [0], [0], [0], [1], [1], [1]],
    )
    t.ok(others.every(({ blocks }) => blocks.flat().every(({ server }) => server === 1)))
    t.equal(serversOf([headline!, ...others].flatMap(({ blocks }) => blocks.flat())), 16)
  },
)

t.test('a row of the headline has at least 2,000 publishes, at the exact rate', async (t) => {
  for (const seed of ['1', '2', '77']) {
    const [headline] = planOf(options('--seed', seed))
    const counts = new Map<string, number>()
    for (const plan of headline!.blocks.flat()) {
      const from = warmupOf(plan) * 1e6
      const inside = scheduleOf(plan)[0]!.filter((time) => time >= from).length
      t.equal(inside, plan.duration * 30)
      t.equal(
        scheduleOf(plan)[0]!.length,
        Math.round(warmupOf(plan) * 30) + inside,
        'before the window as well',
      )
      counts.set(plan.variant.name, (counts.get(plan.variant.name) ?? 0) + inside)
    }
    for (const [name, count] of counts) if (name !== PUBLISH_ONLY) t.ok(count >= 2000, `${name}: ${count}`)
  }
  const each = planOf(options('--channels', 'each', '--rate', '0.1'))[0]!.blocks[0]![0]!
  const all = scheduleOf(each)
    .flatMap((times) => [...times])
    .filter((time) => time >= warmupOf(each) * 1e6)
  t.equal(all.length, 100 * 0.1 * each.duration, 'over all channels together')
})

t.test('a quick run takes less than a minute', async (t) => {
  const sections = planOf(options('--quick'))
  t.same(
    sections.map(({ blocks }) => blocks.map((block) => block.length)),
    [[4, 4, 4]],
  )
  const seconds = sections[0]!.blocks.flat().reduce((sum, plan) => sum + secondsOf(plan), 0)
  t.ok(seconds < 65, `${seconds} s`)
})

t.test('an external app has only the headline, without publishing alone', async (t) => {
  const sections = planOf(options('--url', 'http://127.0.0.1:1/x', '--transports', 'sse', '--rounds', '2'))
  t.same(
    sections.map(({ blocks }) => blocks.map((block) => block.map(({ variant }) => variant.name))),
    [[['sse'], ['sse']]],
  )
})

t.test('all rounds of a block have the same schedule in the window, regardless of the warm-up', async (t) => {
  const [block, other] = planOf(options('--channels', 'each', '--subscribers', '3'))[0]!.blocks
  const inWindow = (name: string, blocks = block!) => {
    const plan = blocks.find(({ variant }) => variant.name === name)!
    const warmup = Math.max(plan.warmup, plan.variant.interval) * 1e6
    const times = scheduleOf(plan)
    t.equal(times.length, 3)
    t.ok(
      times.every((list) => list.every((time, i) => time >= (list[i - 1] ?? 0))),
      'ascending',
    )
    return times.map((list) =>
      [...list].filter((time) => time >= warmup).map((time) => Math.round(time - warmup)),
    )
  }
  t.same(inWindow('ws'), inWindow('poll 5 s'))
  t.notSame(inWindow('ws'), inWindow('ws', other))
  t.same(channelsOf(block![0]!.workload).of, [0, 1, 2])
})
