import t from 'tap'
import { type Coefficients, cpuOf, type Point } from '../../model/cpu.ts'

const points = (...pairs: [rate: number, cpu: number][]): Point[] =>
  pairs.map(([rate, cpu]) => ({ rate, cpu }))
const held = new Map([['sse', points([0, 10], [1, 60], [5, 200], [20, 500])] as const])
const coefficients: Coefficients = {
  held,
  polls: new Map([
    [0.1, points([0, 2000], [5, 2400])],
    [5, points([0, 100], [5, 150])],
    [1, points([0, 300], [5, 900])],
  ]),
}
const sse = (rate: number, known = coefficients) => cpuOf({ way: 'sse', interval: 0 }, rate, known)
const poll = (interval: number, rate: number, known = coefficients) =>
  cpuOf({ way: 'poll', interval }, rate, known)

t.test('a reader that stays: measured, between, and beyond', async (t) => {
  for (const { rate, cpu } of held.get('sse')!) t.equal(sse(rate), cpu, `at ${rate}/s, as measured`)
  t.equal(sse(0.5), 35)
  t.equal(sse(3), 130)
  t.equal(sse(40), 900, 'on with the last line')
  t.equal(cpuOf({ way: 'ws', interval: 0 }, 1, coefficients), undefined, 'not measured')
  const later = { ...coefficients, held: new Map([['sse', points([5, 100], [20, 400])] as const]) }
  t.equal(sse(1, later), 20, 'back with the first')
  t.equal(sse(0, later), 0, 'never below nothing')
})

t.test('polls: over requests a second, through those of the measured intervals', async (t) => {
  t.equal(poll(1, 0), 300)
  t.equal(poll(1, 5), 900)
  t.equal(poll(0.1, 5), 2400, 'whatever their order')
  t.equal(poll(10, 0), 50, 'half as many requests as the fewest that were measured')
  t.equal(poll(1 / 5.5, 0), 1150, 'half way from one a second to ten')
  t.equal(poll(10, 2.5), 25 + 50, 'between rates, too: the messages cost what they do, the requests half')
  t.equal(poll(1, 1, { ...coefficients, polls: new Map() }), undefined)
})

t.test('a figure that falls where more comes is noise', async (t) => {
  const noisy = { ...coefficients, held: new Map([['sse', points([0, 100], [1, 80], [5, 90])] as const]) }
  for (const rate of [0, 0.5, 1, 5, 100]) t.equal(sse(rate, noisy), 100)
  const below = { ...coefficients, held: new Map([['sse', points([0, -5], [1, 20])] as const]) }
  t.equal(sse(0, below), 0, 'less than nobody takes')
})
