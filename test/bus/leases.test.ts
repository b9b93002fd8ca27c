import t from 'tap'
import { Leases } from '../../bus/leases.ts'
import { turn } from './fixture.ts'

const a = { key: 'a', channels: ['a'] }
const both = { key: 'a,b', channels: ['a', 'b'] }

/** Leases that somebody has asked for, and that therefore count. */
function asked(least: number): Leases {
  const leases = new Leases(least)
  leases.counts()
  return leases
}

t.test('nothing is counted before somebody asks', async (t) => {
  const leases = new Leases(60_000)
  leases.grant('e.1', a)
  t.equal(leases.of('a'), 0)
  leases.grant('e.1', a)
  t.equal(leases.of('a'), 1)
})

t.test('a client is counted until it comes back with the cursor of its answer', async (t) => {
  const leases = asked(60_000)
  const counts = () => ['a', 'b'].map((channel) => leases.of(channel))
  leases.grant('e.1', a)
  leases.grant('e.1', a)
  leases.grant('e.1', both)
  leases.grant('e.2', both)
  t.strictSame(counts(), [4, 2])
  t.strictSame(
    [...leases.counts()],
    [
      ['a', 4],
      ['b', 2],
    ],
  )
  t.notOk(leases.take('e.2', a), 'another cursor')
  t.ok(leases.take('e.1', both))
  t.notOk(leases.take('e.1', both), 'one for each')
  t.strictSame(counts(), [3, 1])
  t.ok(leases.take('e.1', a) && leases.take('e.1', a) && leases.take('e.2', both))
  t.strictSame(counts(), [0, 0])
  t.strictSame([...leases.counts()], [])
})

t.test('who does not come back is counted no more, also while others come and go', async (t) => {
  const leases = asked(20)
  leases.grant('e.1', both)
  while (leases.of('a') > 0) await turn()
  t.equal(leases.of('b'), 0)
  t.notOk(leases.take('e.1', both))
  leases.grant('e.1', a)
  for (let count = 1; count > 0; count = leases.of('a')) {
    leases.grant('e.1', a)
    await turn()
    leases.take('e.1', a)
  }
  t.strictSame([...leases.counts()], [])
})

t.test('a lease lasts once to twice its time, however rarely somebody asks', async (t) => {
  const clock = t.intercept(performance, 'now', { value: () => time })
  let time = 10_000
  const leases = asked(100)
  for (const [granted, seen, gone] of [
    [0, 100, 200],
    [99, 199, 299],
    [50, 149, 250],
  ] as const) {
    const began = time
    time = began + granted
    leases.grant('e.1', a)
    time = began + seen - 1
    t.equal(leases.of('a'), 1, `granted at ${granted}`)
    time = began + gone
    t.equal(leases.of('a'), 0, `granted at ${granted}`)
    time += 1000
    leases.counts()
  }
  clock.restore()
})

t.test('its memory is bounded', async (t) => {
  const leases = asked(60_000)
  for (let i = 0; i < 100_000; i++) leases.grant(`e.${i}`, a)
  const full = leases.of('a')
  t.ok(full > 10_000 && full < 20_000, `${full}`)
  for (let i = 0; i < 5000; i++) leases.take(`e.${i}`, a)
  leases.grant('e.0', a)
  t.equal(leases.of('a'), full - 4999, 'there is room again')
})
