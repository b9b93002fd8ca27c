import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { IndexedSet, NOWHERE } from '../../bus/indexed-set.ts'

class Member {
  at = NOWHERE
  readonly name: string
  readonly ballast = new Array<number>(100).fill(0.5)
  constructor(name: string) {
    this.name = name
  }
}

const names = (roster: IndexedSet<'at', Member>) => roster.all().map(({ name }) => name)

t.test('members come and go, each once', async (t) => {
  const roster = new IndexedSet<'at', Member>('at')
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new Member(name)) as [Member, Member, Member]
  for (const member of [a, b, c]) roster.add(member)
  t.equal(roster.size, 3)
  t.ok(roster.has(a))
  roster.delete(a)
  roster.delete(a)
  t.notOk(roster.has(a))
  t.strictSame(names(roster), ['c', 'b'])
  roster.delete(b)
  t.strictSame(names(roster), ['c'])
  roster.add(a)
  t.strictSame(names(roster), ['c', 'a'])

  const other = new IndexedSet<'at', Member>('at')
  other.delete(a)
  t.notOk(other.has(a), 'it stands in another one')
  t.ok(roster.has(a))

  const before = roster.all()
  for (const member of before) roster.delete(member)
  t.strictSame([roster.size, before.length], [0, 2], 'they may go while one goes through them')
})

t.test('those that have gone are let go of by the small garbage collections', async (t) => {
  setFlagsFromString('--expose-gc')
  // V8 would come to make the members in the old space, where a small collection does not look.
  setFlagsFromString('--no-allocation-site-pretenuring')
  const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void

  /** Bytes that are left of 4 MB of members that have come and gone, where the whole heap was not looked at. */
  const left = (members: Pick<IndexedSet<'at', Member>, 'add' | 'delete'>): number => {
    collect()
    const before = process.memoryUsage().heapUsed
    let last: Member[] = []
    for (let wave = 0; wave < 50; wave++) {
      for (const member of last) members.delete(member)
      last = Array.from({ length: 100 }, () => new Member('x'))
      for (const member of last) members.add(member)
      // Once a wave: what has been seen alive twice is looked at no more.
      collect({ type: 'minor' })
    }
    return process.memoryUsage().heapUsed - before
  }
  // The least of some: V8 may make the members of one run in the old space all the same.
  const least = (make: () => Pick<IndexedSet<'at', Member>, 'add' | 'delete'>) =>
    Math.min(...[1, 2, 3, 4].map(() => left(make())))
  const roster = least(() => new IndexedSet<'at', Member>('at'))
  const set = least(() => new Set<Member>())
  t.ok(roster < set / 3, `of a Set ${set} bytes are left, of a roster ${roster}`)
})
