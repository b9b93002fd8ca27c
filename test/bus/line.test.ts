import t from 'tap'
import { type InLine, Line } from '../../bus/line.ts'

class Member implements InLine<Member> {
  before: Member | undefined
  behind: Member | undefined
}

t.test('the first is who has stood in it for longest, wherever others left from', async (t) => {
  const line = new Line<Member>()
  const members = Array.from({ length: 5 }, () => new Member())
  const [a, b, c, d, e] = members as [Member, Member, Member, Member, Member]
  for (const each of members) line.add(each)
  t.equal(line.first, a)
  for (const [gone, first] of [
    [c, a],
    [a, b],
    [e, b],
    [b, d],
    [d, undefined],
  ] as const) {
    line.delete(gone)
    t.equal(line.first, first)
  }
  t.equal(line.size, 0)
  line.add(c)
  line.add(a)
  t.equal(line.first, c)
  t.equal(line.size, 2)
})
