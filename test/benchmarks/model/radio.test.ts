import t from 'tap'
import { radioPolled, radioPushed, radioWithHeartbeat, TAIL } from '../../../benchmarks/model/radio.ts'
import { exponential, randomOf } from '../../../benchmarks/model/random.ts'

/** Returns the share of a long time within a tail after an event. */
function share(rate: number, cycle: number): number {
  const random = randomOf(31)
  const end = 1e6
  const wakes: number[] = []
  for (let at = exponential(random, rate); at < end; at += exponential(random, rate)) wakes.push(at)
  for (let at = 0; at < end; at += cycle) wakes.push(at)
  wakes.sort((a, b) => a - b)
  let on = 0
  for (const [i, wake] of wakes.entries()) on += Math.min(TAIL, (wakes[i + 1] ?? end) - wake)
  return on / end
}

t.test('the share equals a simulation', async (t) => {
  const near = (found: number, wanted: number) => t.ok(Math.abs(found - wanted) < 0.01, `${found} ${wanted}`)
  near(share(0.05, 1e9), radioPushed(0.05))
  near(share(1e-7, 25), radioPolled(25))
  near(share(0.05, 25), radioWithHeartbeat(0.05, 25))
  t.equal(radioPolled(5), 1)
})
