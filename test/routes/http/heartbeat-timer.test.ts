import t from 'tap'
import { NOWHERE } from '../../../bus/indexed-set.ts'
import { type HeartbeatMember, HeartbeatTimer } from '../../../routes/http/heartbeat-timer.ts'

/** A spoke whose calls are waited for. */
class Counter implements HeartbeatMember {
  slot: HeartbeatMember['slot']
  indexInSlot = NOWHERE
  count = 0
  #look = () => {}

  beat(): void {
    this.count++
    this.#look()
  }

  until(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (this.count >= count) resolve()
      }
      this.#look()
    })
  }
}

t.test('every member is called, again and again', async (t) => {
  const wheel = new HeartbeatTimer(32)
  const [one, two] = [new Counter(), new Counter()]
  // Its timer holds no process up; this one does, for the test.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  wheel.add(one)
  await one.until(1)
  wheel.add(two)
  t.equal(wheel.size, 2)
  await Promise.all([one.until(4), two.until(3)])

  wheel.delete(one)
  const before = one.count
  await two.until(two.count + 3)
  t.equal(one.count, before, 'not after it was deleted')
  wheel.delete(one)
  wheel.delete(two)
  t.equal(wheel.size, 0)

  wheel.add(one)
  await one.until(before + 2)
  wheel.delete(one)
})

t.test('a member that leaves as it is called keeps none from being called', async (t) => {
  const wheel = new HeartbeatTimer(16)
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  const last = new Counter()
  const first = { slot: undefined, indexInSlot: NOWHERE, beat: () => wheel.delete(first) }
  wheel.add(first)
  wheel.add(last)
  await last.until(2)
  t.equal(wheel.size, 1)
  wheel.delete(last)
})
