import fc from 'fast-check'
import t from 'tap'
import { Ring } from '../../bus/ring.ts'

t.test('it is a queue that is read by index', async (t) => {
  const ring = new Ring<string>()
  t.equal(ring.length, 0)
  ring.push('a')
  ring.push('b')
  ring.push('c')
  t.strictSame([ring.length, ring.at(0), ring.at(2)], [3, 'a', 'c'])
  t.equal(ring.shift(), 'a')
  ring.push('d')
  ring.push('e')
  t.strictSame([ring.length, ring.at(0), ring.at(3)], [4, 'b', 'e'])
})

t.test('it does what an array does, whatever is pushed and shifted', async () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 500 }), (pushes) => {
      const ring = new Ring<number>()
      const model: number[] = []
      pushes.forEach((push, i) => {
        if (push || model.length === 0) {
          ring.push(i)
          model.push(i)
        } else if (ring.shift() !== model.shift()) throw new Error('shift')
        if (ring.length !== model.length) throw new Error('length')
        model.forEach((item, j) => {
          if (ring.at(j) !== item) throw new Error('at')
        })
      })
    }),
  )
})

t.test('it can be emptied and filled again', async (t) => {
  const ring = new Ring<object>()
  for (let i = 0; i < 1000; i++) ring.push({ i })
  for (let i = 0; i < 1000; i++) ring.shift()
  ring.push({ i: 'again' })
  t.strictSame([ring.length, ring.at(0)], [1, { i: 'again' }])
})
