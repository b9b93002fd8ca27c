import t from 'tap'
import { exponential, randomOf } from '../../benchmarks/model/random.ts'
import { parseBenchOptions } from '../../benchmarks/options.ts'
import { planOf, type Section, type Settings } from '../../benchmarks/plan.ts'
import { QuantileSketch } from '../../benchmarks/quantile-sketch.ts'
import type { Residual } from '../../benchmarks/residual.ts'
import type { RoundResult } from '../../benchmarks/round-result.ts'
import { coldStartOf, hasSettled } from '../../benchmarks/server-warmup.ts'
import { isValid, type ValidityInput, validityOf } from '../../benchmarks/validity.ts'
import { QUALITY } from './small.ts'

const sections = planOf(parseBenchOptions(['--transports', 'ws']) as Settings).filter(({ name }) =>
  ['headline', 'idle'].includes(name),
)

/** Rounds of a plan with default values. */
const rounds = (steal: (section: string, block: number) => number = () => 0): RoundResult[] =>
  sections.flatMap(({ blocks }: Section) =>
    blocks.flat().map(
      ({ section, block, variant }) =>
        ({
          ...{ section, block, variant: variant.name, missed: 0, duplicates: 0, reordered: 0, faults: [] },
          latency: null,
          quality: { ...QUALITY, steal: steal(section, block) },
        }) as unknown as RoundResult,
    ),
  )
const line = (section: string, holds: Residual['holds'], figure: Residual['figure'] = 'bytes'): Residual => ({
  ...{ figure, variant: 'ws', section, measured: 1, model: 1, bound: 1, holds },
})
const judge = (more: Partial<ValidityInput>) => {
  const found = validityOf({ sections, rounds: rounds(), failures: [], residuals: [], cold: [], ...more })
  return { states: found.map(({ state }) => state), passed: isValid(found), found }
}

t.test('a section without failures is valid', async (t) => {
  t.match(judge({}), { states: ['holds', 'holds'], passed: true })
  t.match(judge({ rounds: rounds((_, block) => (block === 3 ? 0.5 : 0)) }).states, ['holds'], 'one of seven')
})

t.test('a disturbed section is inconclusive; other sections are not affected', async (t) => {
  const { states, passed, found } = judge({ rounds: rounds((section) => (section === 'idle' ? 0.5 : 0)) })
  t.same([states, passed], [['holds', 'void'], true])
  t.match(found[1]!.reasons[0], /0 of \d rounds undisturbed/)
  const first = judge({ rounds: rounds((section, block) => (section === 'headline' && block < 2 ? 0.5 : 0)) })
  t.same(
    [first.states, first.passed],
    [['void', 'holds'], false],
    'a run with an inconclusive main workload is not valid',
  )
  t.same(
    judge({ cold: ['ws'] }).states,
    ['void', 'void'],
    'nor is a run with a server that was not warmed up',
  )
})

t.test('a failure makes any section and the run fail', async (t) => {
  const failures = [{ kind: 'wrong' as const, section: 'idle', text: 'lost' }]
  t.match(judge({ failures }), { states: ['holds', 'wrong'], passed: false })
  t.match(judge({ residuals: [line('headline', false)] }), { states: ['wrong', 'holds'], passed: false })
  const disturbed = rounds(() => 0.5)
  t.same(judge({ rounds: disturbed, residuals: [line('headline', false, 'delay')] }).states, ['void', 'void'])
  t.same(judge({ rounds: disturbed, residuals: [line('headline', false)] }).states, ['wrong', 'void'])
  const { found } = judge({ residuals: [line('headline', true), line('headline', null)] })
  t.same(found[0]!.model, { holds: 1, fails: 0, unjudged: 1 }, 'counts inconclusive residuals')
  t.same(validityOf({ sections, rounds: [], failures: [], residuals: [], cold: [] }), [], 'no rounds')
  t.notOk(isValid([]))
})

const curve = (...costs: (number | null)[]) => costs.map((cpu, i) => ({ units: (i + 1) * 1000, cpu }))

t.test('a server is settled when its cost has stopped falling', async (t) => {
  const first = [400, 300, 200, 150, 100] as const
  t.equal(hasSettled(curve(...first, 50, 50, 51, 50, 49, 50)), true)
  t.equal(hasSettled(curve(...first, 90, 80, 70, 60, 50, 40)), false)
  t.equal(hasSettled(curve(...first, 50, 50)), false, 'too few points')
  t.equal(
    hasSettled(curve(...first, 50, 500, 50, 50, 50, 50)),
    true,
    'a single disturbed point does not matter',
  )
  t.equal(hasSettled(curve(null)), null, 'unknown CPU')
})

t.test('the cost of a cold start', async (t) => {
  const heating = { variant: 'ws', server: 0, unit: 'delivery' as const, settled: true, seconds: 1 }
  t.same(coldStartOf({ ...heating, points: curve(400, 100, 50, 50, 50) }), {
    ...{ variant: 'ws', unit: 'delivery', cold: 400, warm: 50, extra: 400 },
  })
  t.equal(coldStartOf({ ...heating, points: curve(null) }), null)
})

t.test('a sketch has a relative error of 1 %, and sketches can be merged', async (t) => {
  const random = randomOf(2)
  const times = Array.from({ length: 10_000 }, () => 1000 * exponential(random, 1))
  const parts = [new QuantileSketch(), new QuantileSketch()] as const
  for (const [i, time] of times.entries()) parts[i % 2]!.add(time)
  const all = new QuantileSketch(parts.flatMap((part) => part.pairs()))
  times.sort((a, b) => a - b)
  for (const share of [0.5, 0.9, 0.99, 0.999]) {
    const found = all.quantile(share) * 1000
    t.ok(Math.abs(found / times[Math.round(share * 10_000) - 1]! - 1) < 0.011, `${share}: ${found}`)
  }
  t.ok(Number.isNaN(new QuantileSketch().quantile(0.5)))
})
