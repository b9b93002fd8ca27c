import fc from 'fast-check'
import t from 'tap'
import { memberText } from '../../bus/json.ts'
import { preferredWait } from '../../routes/longpoll/prefer.ts'

t.test('the first wait counts', async (t) => {
  const rows: [string, number | undefined][] = [
    ['wait=5', 5],
    ['WAIT\t= \t5', 5],
    ['wait="5"', 5],
    ['wait="\\5\\0"', 50],
    ['wait=5;x;y="a,b" ; z', 5],
    ['wait=5 , wait=6', 5],
    ['wait=x, wait=6', undefined],
    ['wait, wait=6', undefined],
    ['return=minimal; foo="a, wait=1", wait=5', 5],
    ['foo="wait=1, \\", wait=2", wait=3', 3],
    ['respond-async,wait=10', 10],
    [`wait=${'9'.repeat(15)}`, 999_999_999_999_999],
    [`wait=${'9'.repeat(400)}`, Infinity],
  ]
  for (const [prefer, seconds] of rows) t.equal(preferredWait(prefer), seconds, prefer)
})

t.test('a malformed preference is passed over', async (t) => {
  const rows: [string, number | undefined][] = [
    ['', undefined],
    [',,', undefined],
    ['wait 5, wait=6', 6],
    ['wait=5 7, wait=6', 6],
    ['wait=5"7", wait=6', 6],
    ['=5, wait=6', 6],
    ['"wait=5", wait=6', 6],
    ['a="b, wait=6', 6],
    ['a="b, c="d, wait=6', 6],
    ['a="b, c="d", wait=6', 6],
    ['a;"b, wait=6', 6],
    ['a="b", c;"d\\", wait=6', 6],
    ['wait=5;"x, wait="6, wait=7', 5],
    ['b@d, wait=5', 5],
    ['a="\\', undefined],
  ]
  for (const [prefer, seconds] of rows) t.equal(preferredWait(prefer), seconds, prefer)
})

/** A text that counts how many of its characters are looked at. */
function counted(text: string): { text: string; steps(): number } {
  let steps = 0
  const proxy = new Proxy(new String(text), {
    get(target, name) {
      steps++
      const value = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        const result = value.apply(text, given)
        if (name === 'indexOf') {
          steps += (result === -1 ? text.length : result) - Math.min(Number(given[1] ?? 0), text.length)
        }
        return result
      }
    },
  })
  return { text: proxy as unknown as string, steps: () => steps }
}

t.test('no Prefer takes more steps than in proportion to its length', async () => {
  const part = fc
    .array(fc.constantFrom('"', '\\', ',', ';', '=', ' ', '\t', 'a', 'wait', '@', '="', ',a="', '\\"'), {
      minLength: 1,
      maxLength: 8,
    })
    .map((pieces) => pieces.join(''))
  fc.assert(
    fc.property(part, part, part, (head, again, tail) => {
      const { text, steps } = counted(`${head}${again.repeat(Math.ceil(2000 / again.length))}${tail}`)
      preferredWait(text)
      return steps() < 50 * text.length
    }),
    { numRuns: 2000 },
  )
})

t.test('no frame takes more steps than in proportion to its length', async () => {
  const string = fc
    .array(fc.constantFrom('\\', '"', '{', '}', '[', ',', ':', 'ref', 'é'), { maxLength: 6 })
    .map((pieces) => pieces.join('').repeat(300))
  const value = fc.oneof(
    string,
    fc.array(string, { maxLength: 3 }),
    fc.integer({ min: 1, max: 2000 }).map((depth) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`)),
  )
  fc.assert(
    fc.property(fc.dictionary(string, value, { maxKeys: 5 }), (object) => {
      const { text, steps } = counted(JSON.stringify({ ...object, ref: 1 }))
      memberText(text, 'ref')
      return steps() < 50 * text.length
    }),
    { numRuns: 300 },
  )
})
