import t from 'tap'
import {
  compare,
  errorOf,
  meanEstimate,
  medianEstimate,
  slopeOf,
  studentT,
  withoutWorst,
} from '../../benchmarks/statistics.ts'
import { exponential, randomOf } from '../../model/random.ts'

t.test('Student’s t as in the tables', async (t) => {
  t.equal(studentT(1), 12.706)
  t.equal(studentT(7), 2.365)
  t.equal(studentT(1000), 2.042, 'on the safe side past the table')
})

t.test('an interval of the mean', async (t) => {
  const { value, low, high } = meanEstimate([1, 2, 3, 4])
  t.equal(value, 2.5)
  t.ok(Math.abs(errorOf([1, 2, 3, 4]) - 0.6455) < 1e-4)
  t.ok(Math.abs(low! - (2.5 - 3.182 * 0.6455)) < 1e-3 && Math.abs(high! - (2.5 + 3.182 * 0.6455)) < 1e-3)
  t.same(meanEstimate([7]), { value: 7, low: null, high: null })
})

t.test('an interval of the median holds it in at least 95 of 100 runs', async (t) => {
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

t.test('what may be said of a difference', async (t) => {
  const verdict = (first: number[], second: number[]) => compare(first, second).verdict
  t.equal(verdict([1, 1.1, 0.9], [2, 2.2, 1.8]), 'lower')
  t.equal(verdict([2, 2.2, 1.8], [1, 1.1, 0.9]), 'higher')
  t.equal(
    verdict([1, 1.001, 1.002], [1, 1, 1]),
    'tie',
    'within five parts of a hundred, though not around one',
  )
  t.equal(verdict([1, 1.5, 0.7], [1, 1, 1]), 'not distinguished')
  t.equal(verdict([1], [2]), 'not distinguished', 'one block tells nothing')
  const { ratio } = compare([10, 1000], [20, 2000])
  t.ok(Math.abs(ratio.value - 0.5) < 1e-12, 'what a block has in common falls out')
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

t.test('without the worst hundredth, one at least', async (t) => {
  t.equal(withoutWorst([]), 0)
  t.equal(withoutWorst([3]), 3)
  t.equal(withoutWorst([1, 2, 9]), 2)
  t.equal(withoutWorst(Array.from({ length: 250 }, (_, i) => i)), 246)
})
