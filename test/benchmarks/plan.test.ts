import t from 'tap'
import { BENCH_HELP, type BenchOptions, readBench, UsageError } from '../../benchmarks/options.ts'
import { AGAIN, channelsOf, PUBLISH_ONLY, planOf, scheduleOf, secondsOf } from '../../benchmarks/plan.ts'

const options = (...args: string[]) => readBench(args) as BenchOptions

t.test('flags that are wrong are named in one line', async (t) => {
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
      readBench(args)
      t.fail(args.join(' '))
    } catch (error) {
      t.ok(error instanceof UsageError)
      t.match((error as Error).message, why)
      t.notMatch((error as Error).message, /\n/)
      t.equal((error as UsageError).exitCode, 2)
    }
  }
  t.equal(readBench(['--help']), 'help')
  for (const name of ['--quick', '--poll-interval', '--url', '--html']) t.ok(BENCH_HELP.includes(name))
})

t.test('the whole plan', async (t) => {
  const sections = planOf(options())
  t.same(
    sections.map(({ name, blocks }) => [name, blocks.length, blocks[0]!.length]),
    [
      ['headline', 8, 8],
      ['rtt', 3, 5],
      ['rate 1', 1, 7],
      ['rate 20', 1, 7],
      ['idle', 3, 7],
    ],
  )
  const seconds = sections
    .flatMap(({ blocks }) => blocks.flat())
    .reduce((sum, plan) => sum + secondsOf(plan), 0)
  t.ok(seconds < 12 * 60, `${seconds} s`)
  const still = sections.at(-1)!.blocks.map((block) => block.map(({ variant }) => variant.name).sort())
  t.same(still[2], ['longpoll', PUBLISH_ONLY, 'sse', 'ws'], 'polls are told by one round')
  t.same(still[1], still[2])
  const names = sections[0]!.blocks.map((block) => block.map(({ variant }) => variant.name))
  t.ok(names.every((list) => list.includes(AGAIN) && list.includes(PUBLISH_ONLY)))
  t.ok(new Set(names.map(String)).size > 4, 'the order is another in each block')
  t.same(planOf(options()), sections, 'the same seed, the same plan')
  t.notSame(planOf(options('--seed', '2')), sections)
  t.notOk(planOf(options('--rtt', '10')).some(({ name }) => name === 'rtt'))
})

t.test('a quick plan is over within a minute', async (t) => {
  const sections = planOf(options('--quick'))
  t.same(
    sections.map(({ blocks }) => blocks.map((block) => block.length)),
    [[4, 4, 4]],
  )
  const seconds = sections[0]!.blocks.flat().reduce((sum, plan) => sum + secondsOf(plan), 0)
  t.ok(seconds < 60, `${seconds} s`)
})

t.test('a foreign app is measured in the headline alone, and publishing alone is not', async (t) => {
  const sections = planOf(options('--url', 'http://127.0.0.1:1/x', '--transports', 'sse', '--rounds', '2'))
  t.same(
    sections.map(({ blocks }) => blocks.map((block) => block.map(({ variant }) => variant.name))),
    [[['sse'], ['sse']]],
  )
})

t.test('the window’s schedule is that of its block, however long the warm-up', async (t) => {
  const [block, other] = planOf(options('--channels', 'each', '--subscribers', '3'))[0]!.blocks
  const inWindow = (name: string, blocks = block!) => {
    const plan = blocks.find(({ variant }) => variant.name === name)!
    const warmup = Math.max(plan.warmup, plan.variant.interval) * 1e6
    const times = scheduleOf(plan)
    t.equal(times.length, 3)
    t.ok(
      times.every((list) => list.every((time, i) => time >= (list[i - 1] ?? 0))),
      'in order',
    )
    return times.map((list) =>
      [...list].filter((time) => time >= warmup).map((time) => Math.round(time - warmup)),
    )
  }
  t.same(inWindow('ws'), inWindow('poll 5 s'))
  t.notSame(inWindow('ws'), inWindow('ws', other))
  t.same(channelsOf(block![0]!.workload).of, [0, 1, 2])
})
