import fc from 'fast-check'
import t from 'tap'
import { Waste } from '../../bus/shared/waste.ts'

const place = fc.record({ kept: fc.boolean(), weight: fc.integer({ min: 1, max: 100_000 }) })

t.test(
  'behind a cut there is about no more that may go than what is kept, and no more is moved than is worth it',
  async () => {
    fc.assert(
      fc.property(
        fc.array(place, { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 0, max: 5000 }),
        (places, step, start) => {
          const all = places.map((each, i) => ({ ...each, seq: start + 1 + i * step }))
          const head = all.at(-1)!.seq
          const [kept, dead] = [all.filter((each) => each.kept), all.filter((each) => !each.kept)]
          const waste = new Waste()
          for (const each of dead) waste.add(each)
          // Of before the tail: it is elsewhere already.
          const cut = waste.cut([{ seq: start, weight: 1e9 }, ...kept.toReversed()], start, head)
          const sum = (of: typeof all, after: number, to: number) =>
            of.reduce((bytes, { seq, weight }) => bytes + (seq > after && seq <= to ? weight : 0), 0)
          const goes = sum(dead, start, cut)
          const stays = sum(dead, cut, head)
          return (
            cut >= start &&
            cut <= head &&
            sum(kept, start, cut) <= 2 * goes &&
            stays <= sum(kept, cut, head) / 2 &&
            waste.isMuch(0) === stays > 256 * 1024
          )
        },
      ),
    )
  },
)

t.test('what stood where the log was cut back to is not counted', async (t) => {
  const waste = new Waste()
  for (let seq = 1; seq <= 5000; seq++) waste.add({ seq, weight: 1000 })
  t.ok(waste.isMuch(4_000_000))
  t.notOk(waste.isMuch(5_000_000))
  waste.between(0, 2047)
  t.ok(waste.isMuch(1_700_000))
  t.notOk(waste.isMuch(2_000_000))
  waste.between(2047, 2047)
  t.notOk(waste.isMuch(0))
})
