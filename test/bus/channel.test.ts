import t from 'tap'
import { checkChannel, checkChannels, MAX_CHANNELS } from '../../bus/channel.ts'

const refused = { code: 'TIDINGS_ERR_CHANNEL', statusCode: 400, message: /'channel'/ }

t.test('a name is 1 to 128 of a few characters', async (t) => {
  for (const name of ['a', 'default', 'A-Z_0.9:~', '__proto__', 'x'.repeat(128)]) {
    t.equal(checkChannel(name), name)
  }
  const none = [
    '',
    'x'.repeat(129),
    'a b',
    'a,b',
    'a/b',
    'ä',
    'a\n',
    'a\0',
    '"',
    '%41',
    undefined,
    null,
    1,
    ['a'],
  ]
  for (const name of none) t.throws(() => checkChannel(name), refused, JSON.stringify(name))
})

t.test('names come back sorted, each once', async (t) => {
  t.strictSame(checkChannels(['b', 'a', 'b', 'B']), ['B', 'a', 'b'])
  t.strictSame(checkChannels([]), [])
  t.throws(() => checkChannels(['a', '']), refused)
})

t.test('32 are read at once, and no more', async (t) => {
  const names = Array.from({ length: MAX_CHANNELS }, (_, i) => `c${i}`)
  t.equal(checkChannels([...names, ...names]).length, MAX_CHANNELS, 'repeats do not count')
  t.throws(() => checkChannels([...names, 'one-more']), { ...refused, message: /at most 32 times/ })
})
