import fc from 'fast-check'
import t from 'tap'
import { detach, heapBytes } from '../../bus/text.ts'

t.test('a copy is the same text', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('a', 'é', '漢', '\ud800', '\udc00', '😀', '\0') }),
  )
  fc.assert(fc.property(text, (text) => detach(text) === text))
  fc.assert(
    fc.property(text, fc.integer({ min: 65_530, max: 200_000 }), (text, size) => {
      const long = text.repeat(Math.ceil(size / Math.max(text.length, 1)))
      return detach(long) === long
    }),
    { numRuns: 20 },
  )
})

t.test('what it takes in words', async (t) => {
  t.equal(heapBytes(''), 16)
  t.equal(heapBytes('a'), 24)
  t.equal(heapBytes('é'.repeat(8)), 24)
  t.equal(heapBytes('é'.repeat(9)), 32)
  t.equal(heapBytes('漢'.repeat(4)), 24)
  t.equal(heapBytes('漢'.repeat(5)), 32)
})
