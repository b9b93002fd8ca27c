import t from 'tap'
import {
  exponential,
  poissonTimes,
  randomOf,
  seedOf,
  shuffled,
  uniformTimes,
} from '../../../benchmarks/model/random.ts'

t.test('the same seed gives the same numbers, other seeds differ', async (t) => {
  const take = (seed: number) => {
    const random = randomOf(seed)
    return Array.from({ length: 20 }, random)
  }
  t.same(take(7), take(7))
  t.notSame(take(7), take(8))
  t.ok(take(7).every((number) => number >= 0 && number < 1))
})

t.test('numbers are uniform, and independent of the previous one', async (t) => {
  const random = randomOf(1)
  const cells = new Array<number>(100).fill(0)
  let before = random()
  for (let i = 0; i < 100_000; i++) {
    const number = random()
    cells[Math.floor(before * 10) * 10 + Math.floor(number * 10)]!++
    before = number
  }
  const chi = cells.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)
  // 99 degrees of freedom: the 0.999 quantile of chi-square is 149.
  t.ok(chi < 149, `chi square ${chi}`)
})

t.test('similar seeds give independent streams', async (t) => {
  const seeds = new Set<number>()
  for (let seed = 0; seed < 100; seed++)
    for (let round = 0; round < 100; round++) seeds.add(seedOf(seed, round))
  t.equal(seeds.size, 10_000)
  const first = Array.from({ length: 2000 }, (_, round) => randomOf(seedOf(5, round))())
  const mean = first.reduce((a, b) => a + b) / first.length
  t.ok(Math.abs(mean - 0.5) < 4 * Math.sqrt(1 / 12 / 2000), `mean ${mean}`)
})

t.test('exponential times have the right mean; Poisson counts have equal mean and variance', async (t) => {
  const random = randomOf(3)
  let sum = 0
  for (let i = 0; i < 50_000; i++) sum += exponential(random, 4)
  t.ok(Math.abs(sum / 50_000 - 0.25) < 0.005)
  const counts = Array.from({ length: 5000 }, () => poissonTimes(random, 10, 1).length)
  const mean = counts.reduce((a, b) => a + b) / counts.length
  const variance = counts.reduce((a, b) => a + (b - mean) ** 2, 0) / counts.length
  t.ok(Math.abs(mean - 10) < 0.2 && Math.abs(variance - 10) < 0.8, `${mean} ${variance}`)
  const times = poissonTimes(random, 100, 2)
  t.ok(times.every((time, i) => time < 2 && (i === 0 || time > times[i - 1]!)))
})

t.test('a shuffle gives all orders with equal probability and does not modify the list', async (t) => {
  const random = randomOf(9)
  const list = [1, 2, 3] as const
  const orders = new Map<string, number>()
  for (let i = 0; i < 6000; i++) {
    const key = shuffled(random, list).join('')
    orders.set(key, (orders.get(key) ?? 0) + 1)
  }
  t.equal(orders.size, 6)
  t.ok([...orders.values()].every((count) => Math.abs(count - 1000) < 130))
  t.same(list, [1, 2, 3])
})

t.test('a Poisson process of a known count: exact count, exponential gaps', async (t) => {
  const random = randomOf(7)
  const gaps: number[] = []
  for (let i = 0; i < 200; i++) {
    const times = uniformTimes(random, 100, 10)
    t.equal(times.length, 100)
    t.ok(times.every((time, i) => time >= (times[i - 1] ?? 0) && time < 10))
    for (const [i, time] of times.entries()) gaps.push(time - (times[i - 1] ?? 0))
  }
  // The gaps of a Poisson process are exponential: a share of e^-1 exceeds the mean.
  const above = gaps.filter((gap) => gap > 0.1).length / gaps.length
  t.ok(Math.abs(above - Math.exp(-1)) < 0.01, String(above))
  t.same(uniformTimes(random, 0, 10), [])
})
