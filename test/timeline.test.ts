import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { ROOT } from './child.ts'

interface Happening {
  kind: 'row' | 'line' | 'end' | 'bar'
  at: number
  lane?: string
  lead?: number
  tail?: number
  bundle?: string
}
interface Clock {
  y: number
  bottoms: Record<string, number>
  pending: Happening[]
}
interface Placed {
  what: Happening
  y: number
  into?: Happening
  quiet?: { y: number; ms: number }
}
const { run, startClock, placeOf, raise, LONGEST } = (await import(
  join(ROOT, 'demo', 'public', 'timeline.js')
)) as {
  run(clock: Clock, happenings: Happening[], now: number, speed: number): { clock: Clock; placed: Placed[] }
  startClock(lanes: string[], y?: number): Clock
  placeOf(clock: Clock, now: number, speed: number): number
  raise(clock: Clock, by: number): Clock
  LONGEST: number
}

const LANES = ['poll', 'longpoll', 'sse', 'ws']
const row = (lane: string, at: number, bundle?: string): Happening => ({
  kind: 'row',
  lane,
  at,
  lead: 20,
  tail: 20,
  ...(bundle && { bundle }),
})
const whereOf = (happenings: Happening[], speed = 28) =>
  run(startClock(LANES), happenings, Number.MAX_SAFE_INTEGER, speed).placed.map(({ y }) => y)

t.test('it is one clock: what is lower in any lane came later, and no rows of a lane overlap', async () => {
  const happening = fc.record({
    kind: fc.constantFrom('row', 'line', 'bar', 'end'),
    lane: fc.constantFrom(...LANES),
    at: fc.integer({ min: 0, max: 60_000 }),
    lead: fc.nat(60),
    tail: fc.nat(60),
  })
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), fc.integer({ min: 8, max: 120 }), (given, speed) => {
      const all = given.map(({ lane, ...each }) => (each.kind === 'line' ? each : { ...each, lane }))
      const { placed, clock } = run(startClock(LANES), all as Happening[], 60_000, speed)
      if (placed.length !== all.length) return false
      const bottoms = new Map<string, number>()
      for (const [i, { what, y }] of placed.entries()) {
        const before = placed[i - 1]
        if (before && (y < before.y || what.at < before.what.at)) return false
        if (what.kind !== 'row' && what.kind !== 'line') continue
        for (const lane of what.lane ? [what.lane] : LANES) {
          if (y - what.lead! < (bottoms.get(lane) ?? 0) - 1e-6) return false
          bottoms.set(lane, y + what.tail!)
        }
      }
      // However it comes, in one piece or in many, it stands at the same places.
      let piecemeal = startClock(LANES)
      const ys: number[] = []
      for (const each of placed.map(({ what }) => what)) {
        const step = run(piecemeal, [each], each.at, speed)
        piecemeal = step.clock
        ys.push(...step.placed.map(({ y }) => y))
      }
      if (placed.some(({ y }, i) => ys[i] !== y)) return false
      return placeOf(clock, 60_000, speed) >= clock.y
    }),
    { numRuns: 150 },
  )
})

t.test('a length is a time, in each lane the same, until quiet time is folded in all together', async (t) => {
  t.same(whereOf([row('sse', 0), row('ws', 1000)]), [20, 48], 'a second is 28 pixels')
  t.same(whereOf([row('sse', 0), row('ws', 1000)], 56), [20, 76])
  t.same(whereOf([row('sse', 0), row('ws', 0), row('poll', 1)]).map(Math.round), [20, 20, 20])
  t.same(whereOf([row('sse', 0), row('sse', 1)]), [20, 60], 'it waits for a row that has no room')
  const { placed } = run(startClock(LANES), [row('sse', 0), row('ws', 20_000)], 20_000, 28)
  t.equal(placed[1]!.y, 20 + LONGEST)
  t.same(placed[1]!.quiet, { y: 20 + LONGEST / 2, ms: 20_000 })
  const clock = run(startClock(LANES), [row('sse', 0)], 0, 28).clock
  t.equal(placeOf(clock, 1e9, 28), 20 + LONGEST, 'what has not ended yet is folded, too')
})

t.test('a message that is published draws one line, below all that came before it', async (t) => {
  const line: Happening = { kind: 'line', at: 10, lead: 18, tail: 6 }
  const { placed } = run(startClock(LANES), [row('poll', 0), row('poll', 1), line, row('ws', 12)], 12, 28)
  const [, second, published, push] = placed.map(({ y }) => y)
  t.equal(published, second! + 20 + 18)
  t.equal(push, published! + 6 + 20)
})

t.test('what is to come waits for its time', async (t) => {
  const arrival: Happening = { kind: 'end', lane: 'poll', at: 2000 }
  const first = run(startClock(LANES), [row('poll', 0), arrival], 1000, 28)
  t.equal(first.placed.length, 1)
  t.same(first.clock.pending, [arrival])
  const then = run(first.clock, [row('ws', 1500)], 2000, 28)
  t.same(
    then.placed.map(({ what }) => what.kind),
    ['row', 'end'],
  )
  t.equal(then.placed[1]!.y, 20 + 56)
})

t.test(
  'rows of one name in quick succession are one; where others stand between, only if it is busy',
  async (t) => {
    const into = (happenings: Happening[]) =>
      run(startClock(LANES), happenings, 1e6, 28).placed.map(({ into }) => into !== undefined)
    t.same(into([row('ws', 0, 'a'), row('ws', 100, 'a'), row('sse', 100, 'a')]), [false, true, false])
    t.same(into([row('ws', 0, 'a'), row('ws', 600, 'a')]), [false, false])
    t.same(into([row('ws', 0), row('ws', 1)]), [false, false], 'what has no name stands alone')
    t.same(into([row('ws', 0, 'a'), row('ws', 1, 'b'), row('ws', 2, 'a')]), [false, false, false])
    const busy = Array.from({ length: 200 }, (_, i) => row('longpoll', i * 25, i % 2 ? 'b' : 'a'))
    t.ok(into(busy).filter((each) => !each).length < 30, 'some rows a second, whatever comes')
  },
)

t.test('a clock that is raised goes on as before', async (t) => {
  const { clock } = run(startClock(LANES, 500), [row('ws', 0), row('ws', 1)], 1, 28)
  const next = [row('sse', 500), row('ws', 500)]
  const ys = (clock: Clock) => run(clock, next, 500, 28).placed.map(({ y }) => y)
  t.same(
    ys(raise(clock, 300)),
    ys(clock).map((y) => y - 300),
  )
})
