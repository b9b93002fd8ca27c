import t from 'tap'
import { checkKnown, checkNumber, show } from '../../bus/check.ts'

t.test('a number in its range', async (t) => {
  t.equal(checkNumber('n', 0), 0)
  t.equal(checkNumber('n', 5, { least: 5, most: 5 }), 5)
  t.equal(checkNumber('n', Infinity, { infinity: true }), Infinity)
  const cases: [value: unknown, limits: object, message: string][] = [
    [-1, {}, "Option 'n' must be a whole number, 0 or more; it is -1"],
    [
      11,
      { least: 1, most: 10, unit: 'eggs' },
      "Option 'n' must be a whole number of eggs, from 1 to 10; it is 11",
    ],
    ['7', {}, "Option 'n' must be a whole number, 0 or more; it is '7'"],
    [Infinity, {}, "Option 'n' must be a whole number, 0 or more; it is Infinity"],
    [
      -Infinity,
      { infinity: true },
      "Option 'n' must be a whole number, 0 or more, or Infinity; it is -Infinity",
    ],
    [2 ** 53, {}, "Option 'n' must be a whole number, 0 or more; it is 9007199254740992"],
    [null, {}, "Option 'n' must be a whole number, 0 or more; it is null"],
  ]
  for (const [value, limits, message] of cases) {
    t.throws(() => checkNumber('n', value, limits), { code: 'TIDINGS_ERR_OPTION', message })
  }
})

t.test('options that are known', async (t) => {
  t.strictSame(checkKnown('group', undefined, []), {})
  const given = { a: 1 }
  t.equal(checkKnown<{ a: number; b: number }>('group', given, ['a', 'b']), given)
  t.throws(() => checkKnown('group', { c: 1 }, ['a', 'b'] as never[]), {
    message: "Option 'group.c' is not an option of fastify-tidings; a, b are",
  })
  t.throws(() => checkKnown('options', { c: 1 }, ['a'] as never[]), {
    message: "Option 'c' is not an option of fastify-tidings; a are",
  })
})

t.test('how a value is shown', async (t) => {
  t.strictSame(['x', [1], 1, null, {}].map(show), ["'x'", 'an array', '1', 'null', '[object Object]'])
})
