import t from 'tap'
import { parseCursor, parseStart } from '../../bus/cursor.ts'

t.test('a cursor is an epoch and a seq', async (t) => {
  t.strictSame(parseCursor('k3f9xq2a.12'), { epoch: 'k3f9xq2a', seq: 12 })
  t.strictSame(parseCursor('a-_Z.0'), { epoch: 'a-_Z', seq: 0 })
  t.strictSame(parseCursor(`${'e'.repeat(32)}.9007199254740991`), {
    epoch: 'e'.repeat(32),
    seq: Number.MAX_SAFE_INTEGER,
  })
})

t.test('all else is none', async (t) => {
  const none = [
    '',
    '.',
    'abcd',
    'abcd.',
    'abc.1',
    '.1',
    `${'e'.repeat(33)}.1`,
    'abcd.01',
    'abcd.-1',
    'abcd.+1',
    'abcd.1.0',
    'abcd.1e3',
    'abcd.0x1',
    'abcd.12345678901234567',
    'abcd.9007199254740992',
    'abcd.9007199254740993',
    'abcd.9999999999999999',
    'ab cd.1',
    'äbcd.1',
    'abcd.１',
    ' abcd.1',
    'abcd.1 ',
    'abcd.1\n',
    'abcd.1\0',
    'abcd.NaN',
  ]
  for (const text of none) t.equal(parseCursor(text), undefined, JSON.stringify(text))
})

t.test('a start is a cursor, earliest or now', async (t) => {
  t.equal(parseStart('earliest'), 'earliest')
  t.equal(parseStart('now'), 'now')
  t.strictSame(parseStart('abcd.7'), { epoch: 'abcd', seq: 7 })
  for (const text of ['', 'Now', 'latest', 'earliest ']) t.equal(parseStart(text), undefined, text)
})
