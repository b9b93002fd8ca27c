import fc from 'fast-check'
import t from 'tap'
import { memberText } from '../../bus/json.ts'

const cases: [text: string, name: string, member: string | undefined][] = [
  ['{}', 'data', undefined],
  [' \r\n\t{ \r\n\t} ', 'data', undefined],
  ['{"data":1}', 'data', '1'],
  ['{"data":1}', 'dat', undefined],
  ['{"a":1,"data":2,"b":3}', 'data', '2'],
  ['{ "data" \t:\r\n 12345678901234567890.0100 \n, "b" : 1 }', 'data', '12345678901234567890.0100'],
  ['{"data":-0.0e+10\n}', 'data', '-0.0e+10'],
  ['{"data":1\r}', 'data', '1'],
  ['{"data":1\t}', 'data', '1'],
  ['{"data":null,"x":true}', 'data', 'null'],
  ['{"data":""}', 'data', '""'],
  ['{"data":"}"}', 'data', '"}"'],
  ['{"data":"a\\"b\\\\","x":"\\\\\\""}', 'data', '"a\\"b\\\\"'],
  ['{"x":"\\\\","data":"\\\\\\\\"}', 'data', '"\\\\\\\\"'],
  ['{"x":"\\\\\\",\\"data\\":1","data":2}', 'data', '2'],
  ['{"x":{"data":1},"data":{"data":[{"data":3}]}}', 'data', '{"data":[{"data":3}]}'],
  ['{"x":[{"data":"]}"}],"y":[[],{}]}', 'data', undefined],
  ['{"data":[ "]" , "\\"]" ] ,"x":1}', 'data', '[ "]" , "\\"]" ]'],
  ['{"data":1,"data":2}', 'data', '2'],
  ['{"data":1,"\\u0064ata":2}', 'data', '2'],
  ['{"\\u0064ata":2,"data":1}', 'data', '1'],
  ['{"d\\\\ata":2}', 'data', undefined],
  ['{"data\\"":2}', 'data', undefined],
  ['{"__proto__":7}', '__proto__', '7'],
]

t.test('it finds the text of a top-level member', async (t) => {
  cases.forEach(([text, name, member], i) => {
    t.doesNotThrow(() => JSON.parse(text))
    t.equal(memberText(text, name), member, `case ${i}`)
  })
})

/** JSON with any space between its tokens, and any character of a string escaped. */
const space = fc.constantFrom('', '', ' ', '\n', '\r\n', '\t')
const string = fc
  .array(
    fc.tuple(
      fc.constantFrom('d', 'a', 't', '"', '\\', '{', '}', '[', ']', ',', ':', '\n', 'é', '😀'),
      fc.boolean(),
    ),
    {
      maxLength: 5,
    },
  )
  .map(
    (characters) =>
      `"${characters.map(([c, escaped]) => (escaped ? unicode(c) : JSON.stringify(c).slice(1, -1))).join('')}"`,
  )
const key = fc.oneof(string, fc.constantFrom('"data"', '"\\u0064ata"', '"d\\u0061ta"'))
const scalar = fc.oneof(string, fc.constantFrom('true', 'false', 'null', '0', '-1.5e+3', '9007199254740993'))
const { value } = fc.letrec<{ value: string; object: string; list: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, scalar, tie('object'), tie('list')),
  object: fc
    .array(fc.tuple(space, key, space, space, tie('value'), space), { maxLength: 4 })
    .map((members) => `{${members.map(([a, k, b, c, v, d]) => `${a}${k}${b}:${c}${v}${d}`).join(',')}}`),
  list: fc
    .array(fc.tuple(space, tie('value'), space), { maxLength: 3 })
    .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
}))
const object = fc
  .array(fc.tuple(space, key, space, space, value, space), { maxLength: 5 })
  .map((members) => ` {${members.map(([a, k, b, c, v, d]) => `${a}${k}${b}:${c}${v}${d}`).join(',')}} `)

function unicode(text: string): string {
  return text.replace(/[\s\S]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

t.test('what it finds is what JSON.parse finds', async (t) => {
  let found = 0
  fc.assert(
    fc.property(object, (text) => {
      const parsed = JSON.parse(text) as Record<string, unknown>
      const member = memberText(text, 'data')
      if (!Object.hasOwn(parsed, 'data')) return member === undefined
      found++
      return (
        member !== undefined &&
        text.includes(member) &&
        JSON.stringify(JSON.parse(member)) === JSON.stringify(parsed.data)
      )
    }),
    { numRuns: 2000 },
  )
  t.ok(found > 100, 'in many of them there was one')
})
