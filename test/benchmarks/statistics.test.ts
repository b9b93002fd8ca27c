import t from 'tap'
import { exponential, randomOf } from '../../benchmarks/model/random.ts'
import {
  compare,
  medianEstimate,
  medianOf,
  slopeOf,
  standardErrorOf,
  trimmedMax,
} from '../../benchmarks/statistics.ts'

t.test('the median, and the standard error of the mean', async (t) => {
  t.equal(medianOf([3, 1, 2]), 2)
  t.equal(medianOf([4, 1, 2, 3]), 2.5)
  t.ok(Math.abs(standardErrorOf([1, 2, 3, 4]) - 0.6455) < 1e-4)
  t.equal(standardErrorOf([7]), 0)
})

/** A skewed distribution: most values are close together, some far above, like disturbed rounds. */
function skewed(random: () => number): number {
  const noise = Math.exp(exponential(random, 4))
  return random() < 0.15 ? noise * 4 : noise
}

t.test('an interval contains the median in at least 95 of 100 runs, even for skewed rounds', async (t) => {
  const random = randomOf(5)
  const middle = medianOf(Array.from({ length: 200_001 }, () => skewed(random)))
  for (const rounds of [6, 7, 8, 12, 20]) {
    let held = 0
    let ratios = 0
    for (let i = 0; i < 2000; i++) {
      const draw = () => Array.from({ length: rounds }, () => skewed(random))
      const { low, high } = medianEstimate(draw())
      if (low! <= middle && middle <= high!) held++
      // The ratio of two equal distributions is 1.
      const { ratio } = compare(draw(), draw())
      if (ratio.low! <= 1 && 1 <= ratio.high!) ratios++
    }
    t.ok(held / 2000 > 0.945, `${rounds} rounds: ${held / 2000}`)
    t.ok(ratios / 2000 > 0.945, `ratios of ${rounds} rounds: ${ratios / 2000}`)
  }
})

t.test('a single disturbed round does not matter', async (t) => {
  const quiet = [50, 51, 49, 50, 52, 48, 50, 51]
  const disturbed = [...quiet.slice(1), 5000]
  t.ok(Math.abs(medianEstimate(disturbed).value - medianEstimate(quiet).value) < 1)
  const alike = quiet.map((value) => value * 0.5)
  t.equal(compare(alike, quiet).verdict, 'lower')
  t.ok(Math.abs(compare([...alike.slice(1), 5000], quiet).ratio.value - 0.5) < 0.05)
})

t.test('an interval contains the median in at least 95 of 100 runs', async (t) => {
  const random = randomOf(3)
  let held = 0
  for (let i = 0; i < 2000; i++) {
    const { low, high } = medianEstimate(Array.from({ length: 8 }, () => exponential(random, 1)))
    if (low! <= Math.LN2 && Math.LN2 <= high!) held++
  }
  t.ok(held / 2000 > 0.95, String(held))
  t.same(medianEstimate([3, 1, 2, 5, 4, 6, 7, 8]), { value: 4.5, low: 1, high: 8 })
  t.same(medianEstimate([3, 1, 2]), { value: 2, low: null, high: null })
})

t.test('verdicts on a difference', async (t) => {
  const six = (...values: number[]) => Array.from({ length: 6 }, (_, i) => values[i % values.length]!)
  const verdict = (first: number[], second: number[]) => compare(first, second).verdict
  t.equal(verdict(six(1, 1.1, 0.9), six(2, 2.2, 1.8)), 'lower')
  t.equal(verdict(six(2, 2.2, 1.8), six(1, 1.1, 0.9)), 'higher')
  t.equal(verdict(six(1, 1.001, 1.002), six(1)), 'tie', 'within 5 %, although it excludes one')
  t.equal(verdict(six(1, 1.5, 0.7), six(1)), 'not distinguished')
  t.equal(verdict([1], [2]), 'not distinguished', 'a single block gives no verdict')
  const { ratio } = compare([10, 1000], [20, 2000])
  t.ok(Math.abs(ratio.value - 0.5) < 1e-12, 'effects common to a block cancel out')
})

t.test('a slope', async (t) => {
  t.equal(
    slopeOf([
      [0, 1],
      [1, 3],
      [2, 5],
    ]),
    2,
  )
})

t.test('drops the highest hundredth, at least one value', async (t) => {
  t.equal(trimmedMax([]), 0)
  t.equal(trimmedMax([3]), 3)
  t.equal(trimmedMax([1, 2, 9]), 2)
  t.equal(trimmedMax(Array.from({ length: 250 }, (_, i) => i)), 246)
})
