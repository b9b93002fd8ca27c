import t from 'tap'
import { NOWHERE } from '../../bus/indexed-set.ts'
import type { Log } from '../../bus/log.ts'
import type { Member } from '../../bus/reader-group.ts'
import { makeLog, say, turn } from './fixture.ts'

const ALL = { limit: 1000, bytes: 1e9 }

/** A live member that writes down what it is handed, and comes to stand behind it. */
class Listener implements Member {
  group: Member['group']
  indexInGroup = NOWHERE
  seen = 0
  readonly got: (number | string)[] = []
  readonly #log: Log
  readonly #channels: string[]
  /** Called behind each delivery. */
  onDelivered: () => void = () => {}

  constructor(log: Log, channels: string[]) {
    this.#log = log
    this.#channels = channels
    log.groups.of(channels).join(this)
  }

  deliver(after: number): void {
    const gap = this.#log.gapAfter(after, this.#channels)
    if (gap !== undefined) this.got.push(`gap ${gap.seq}`)
    const { entries } = this.#log.read(this.#channels, gap?.seq ?? after, ALL)
    this.got.push(...(entries.length === 0 ? ['nothing'] : entries.map(({ seq }) => seq)))
    this.onDelivered()
  }

  turned(): void {
    this.got.push('turned')
  }

  leave(): void {
    this.#log.groups.of(this.#channels).leave(this)
  }
}

t.test('one group for all who ask for the same', async (t) => {
  const log = makeLog(t)
  const group = log.groups.of(['a', 'b'])
  t.equal(log.groups.of(['a', 'b']), group)
  t.not(log.groups.of(['a']), group)
  const listener = new Listener(log, ['a', 'b'])
  t.equal(log.groups.of(['a', 'b']), group, 'while it is watched')
  t.equal(group.size, 1)
  listener.leave()
  t.equal(log.groups.of(['a', 'b']), group, 'and behind that')
  t.equal(log.groups.watching, 0)
  for (let i = 0; i < 300; i++) log.groups.of([`c${i}`])
  t.not(log.groups.of(['a', 'b']), group, 'but not for ever')
})

t.test('a group without members keeps no place: a new epoch may begin below it', async (t) => {
  const log = makeLog(t)
  for (let i = 0; i < 3; i++) say(log, 'a')
  const group = log.groups.of(['a'])
  new Listener(log, ['a']).leave()
  const first = new Listener(log, ['a'])
  say(log, 'a')
  say(log, 'a')
  first.leave()
  log.turn(2)
  const later = new Listener(log, ['a'])
  t.equal(group.placeOf(later), 2)
  say(log, 'a')
  await turn()
  t.strictSame(later.got, [3])
})

t.test('many are handed one more turn’s messages with the first', async (t) => {
  for (const [count, handed] of [
    [31, [1]],
    [32, [1, 2]],
  ] as const) {
    const log = makeLog(t)
    const listeners = Array.from({ length: count }, () => new Listener(log, ['a']))
    say(log, 'a')
    await turn()
    say(log, 'a')
    if (count === 32) await turn()
    for (const { got } of listeners) t.strictSame(got, handed)
    await turn()
    await turn()
    for (const { got } of listeners) t.strictSame(got, [1, 2])
  }
})

t.test('members that join and leave', async (t) => {
  const log = makeLog(t)
  const early = new Listener(log, ['a'])
  say(log, 'a')
  const late = new Listener(log, ['a'])
  const group = log.groups.of(['a'])
  t.strictSame([group.placeOf(early), group.placeOf(late)], [0, 1])
  t.ok(group.dirty)
  say(log, 'b')
  const later = new Listener(log, ['a'])
  say(log, 'a')
  const last = new Listener(log, ['a'])
  t.strictSame([group.placeOf(later), group.placeOf(last)], [2, 3])
  await turn()
  t.strictSame(
    [early.got, late.got, later.got, last.got],
    [[1, 3], [3], [3], []],
    'each gets what it has not',
  )
  t.notOk(group.dirty)
  t.equal(group.placeOf(early), 3)

  say(log, 'a')
  for (const listener of [early, late, later, last]) listener.leave()
  early.leave()
  t.equal(log.groups.watching, 0)
  t.notOk(group.dirty, 'nobody waits for it')
  const again = new Listener(log, ['a'])
  await turn()
  t.strictSame([early.got, again.got], [[1, 3], []], 'nothing for those who have left')
  say(log, 'a')
  await turn()
  t.strictSame(again.got, [5])
})

t.test('an idle member’s place moves with the log', async (t) => {
  const log = makeLog(t, { messages: 1, channels: 0, bytes: 1100 })
  const idle = new Listener(log, ['idle'])
  for (let i = 0; i < 10; i++) say(log, `c${i}`, 'x'.repeat(100))
  t.ok(log.floor(['idle']) > 0, 'channels were forgotten')
  t.equal(log.groups.of(['idle']).placeOf(idle), 10)
  say(log, 'idle')
  t.equal(log.groups.of(['idle']).placeOf(idle), 10)
  await turn()
  t.strictSame(idle.got, [11], 'what others have lost is no hole of its own')
})

t.test('a publish from within a delivery keeps the order', async (t) => {
  for (const publisher of [0, 1, 2]) {
    const log = makeLog(t)
    const listeners = [new Listener(log, ['a']), new Listener(log, ['a']), new Listener(log, ['a', 'b'])]
    listeners[publisher]!.onDelivered = () => {
      if (log.head < 4) say(log, 'a')
    }
    say(log, 'a')
    say(log, 'b')
    for (let i = 0; i < 4; i++) await turn()
    t.strictSame(
      listeners.map(({ got }) => got),
      [
        [1, 3, 4],
        [1, 3, 4],
        [1, 2, 3, 4],
      ],
    )
  }
})

t.test('more published from within a delivery than is kept is a gap that is told', async (t) => {
  const log = makeLog(t, { messages: 2 })
  const first = new Listener(log, ['a'])
  const second = new Listener(log, ['a'])
  first.onDelivered = () => {
    if (log.head < 4) for (let i = 0; i < 3; i++) say(log, 'a')
  }
  say(log, 'a')
  await turn()
  await turn()
  t.strictSame(second.got, ['gap 2', 3, 4])
  t.strictSame(first.got, [1, 'gap 2', 3, 4])
})

t.test('a close from within a delivery that published hands nothing out within it', async (t) => {
  const log = makeLog(t)
  const [first, second] = [new Listener(log, ['a']), new Listener(log, ['a'])]
  const order: string[] = []
  first.onDelivered = () => {
    order.push('first begins')
    if (log.head === 1) {
      say(log, 'a')
      log.close()
    }
    order.push('first ends')
  }
  second.onDelivered = () => order.push('second')
  say(log, 'a')
  await turn()
  await turn()
  t.strictSame(order, ['first begins', 'first ends', 'second', 'first begins', 'first ends'])
  t.strictSame(
    [first.got, second.got],
    [
      [1, 2],
      [1, 2],
    ],
    'the second had both at once',
  )
})

t.test('members that leave, join and have others leave from within a delivery', async (t) => {
  const log = makeLog(t)
  const first = new Listener(log, ['a'])
  const second = new Listener(log, ['a'])
  const third = new Listener(log, ['a'])
  const joined: Listener[] = []
  first.onDelivered = () => {
    second.leave()
    first.leave()
    log.groups.of(['a']).join(first)
    joined.push(new Listener(log, ['a']))
  }
  say(log, 'a')
  await turn()
  t.strictSame([first.got, second.got, third.got, joined[0]!.got], [[1], [], [1], []])
  first.onDelivered = () => {}
  say(log, 'a')
  await turn()
  t.strictSame([first.got, second.got, third.got, joined[0]!.got], [[1, 2], [], [1, 2], [2]])
})

t.test('the last member leaves from within a delivery that published', async (t) => {
  const log = makeLog(t)
  const only = new Listener(log, ['a'])
  only.onDelivered = () => {
    say(log, 'a')
    only.leave()
  }
  say(log, 'a')
  await turn()
  await turn()
  t.strictSame(only.got, [1])
  t.equal(log.groups.watching, 0)
  const next = new Listener(log, ['a'])
  say(log, 'a')
  await turn()
  t.strictSame(next.got, [3])
})

t.test('a burst within a turn is handed out before it is trimmed, to all groups', async (t) => {
  const log = makeLog(t, { messages: 1 })
  const a = new Listener(log, ['a'])
  const ab = new Listener(log, ['a', 'b'])
  say(log, 'b')
  for (let i = 0; i < 3; i++) say(log, 'a')
  const late = new Listener(log, ['a', 'b'])
  say(log, 'b')
  say(log, 'b')
  await turn()
  t.strictSame(
    [a.got, ab.got, late.got],
    [
      [2, 3, 4],
      [1, 2, 3, 4, 5, 6],
      [5, 6],
    ],
  )
})
