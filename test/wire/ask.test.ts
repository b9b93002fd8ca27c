import t from 'tap'
import { parseAsk, parseChannel, parseLimit, parseSocketAsk, parseWait } from '../../wire/ask.ts'

t.test('what a reader asks for', async (t) => {
  t.strictSame(parseAsk({}), { channels: ['default'], start: undefined, raw: false })
  t.strictSame(parseAsk({ channel: 'a', cursor: 'earliest', format: 'raw' }), {
    channels: ['a'],
    start: 'earliest',
    raw: true,
  })
  t.strictSame(parseAsk({ channel: ['b', 'a', 'b'], cursor: 'abcd.12' }).channels, ['a', 'b'], 'sorted, once')
  t.strictSame(parseAsk({ cursor: 'abcd.12' }).start, { epoch: 'abcd', seq: 12 })
  t.strictSame(parseAsk({ cursor: 'now' }, 'abcd.0').start, { epoch: 'abcd', seq: 0 }, 'Last-Event-ID wins')
  t.equal(parseAsk({ cursor: 'now' }, '').start, 'now', 'an empty one is none')
  t.equal(parseAsk({ channel: ['a', 'a'], format: 'raw' }).raw, true, 'one channel, named twice')
})

t.test('the channels of one view are the same, whatever their order', async (t) => {
  t.strictSame(parseAsk({ channel: ['a', 'b'] }).channels, parseAsk({ channel: ['b', 'a'] }).channels)
})

t.test('what a socket asks for', async (t) => {
  t.strictSame(parseSocketAsk({}).channels, ['default'])
  t.strictSame(parseSocketAsk({ channel: 'a' }).channels, ['a'])
  t.strictSame(parseSocketAsk({ channel: '', cursor: 'now' }), { channels: [], start: 'now', raw: false })
  t.throws(() => parseSocketAsk({ channel: '', format: 'raw' }), { code: 'TIDINGS_ERR_FORMAT' })
  t.throws(() => parseSocketAsk({ channel: ['', 'a'] }), { code: 'TIDINGS_ERR_CHANNEL' })
})

t.test('the channel of a publish', async (t) => {
  t.equal(parseChannel({}), 'default')
  t.equal(parseChannel({ channel: 'a' }), 'a')
  for (const channel of ['', 'a b', ['a'], 5, null]) {
    t.throws(() => parseChannel({ channel }), { code: 'TIDINGS_ERR_CHANNEL' })
  }
})

t.test('limit', async (t) => {
  t.equal(parseLimit({}, 100, 1000), 100)
  t.equal(parseLimit({}, 100, 10), 10)
  t.equal(parseLimit({ limit: '1000' }, 100, 1000), 1000)
  for (const limit of ['', '0', '1001', '-1', '+1', ' 1', '1.0', '0x1', '9'.repeat(16), ['1'], 1]) {
    t.throws(() => parseLimit({ limit }, 100, 1000), { code: 'TIDINGS_ERR_LIMIT', message: /to 1000$/ })
  }
})

t.test('wait', async (t) => {
  t.strictSame(parseWait({}, undefined, 25, 55), { seconds: 25, preferred: false })
  t.strictSame(parseWait({}, undefined, 25, 5), { seconds: 5, preferred: false })
  t.strictSame(parseWait({ wait: '0' }, undefined, 25, 55), { seconds: 0, preferred: false })
  t.strictSame(parseWait({ wait: '999999' }, undefined, 25, 55), { seconds: 55, preferred: false })
  t.strictSame(parseWait({ wait: '7' }, 'wait=9', 25, 55), { seconds: 7, preferred: false })
  t.strictSame(parseWait({}, 'wait=9', 25, 55), { seconds: 9, preferred: true })
  t.strictSame(parseWait({}, 'wait=999', 25, 55), { seconds: 55, preferred: true })
  for (const prefer of ['wait=x', 'none', ',', '', undefined, ['wait=9']]) {
    t.strictSame(parseWait({}, prefer, 25, 55), { seconds: 25, preferred: false }, `${prefer}`)
  }
})

t.test('a hostile Prefer is read like any other', async (t) => {
  for (const part of ['"', 'a="', 'a;"', 'wait="', ' ', ',', 'a=b;', '\\"', 'a="\\']) {
    const prefer = `${part.repeat(Math.floor(16_000 / part.length))}`
    t.equal(parseWait({}, prefer, 25, 55).seconds, 25, part)
  }
})
