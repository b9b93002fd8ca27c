import t from 'tap'
import {
  parseChannel,
  parseLimit,
  parseReadQuery,
  parseSocketQuery,
  parseStreamQuery,
} from '../../../routes/http/read-query.ts'
import { parseWait } from '../../../routes/longpoll/wait.ts'

t.test('what a reader asks for', async (t) => {
  t.strictSame(parseReadQuery({}), { channels: ['default'], start: undefined, raw: false })
  t.strictSame(parseReadQuery({ channel: 'a', cursor: 'earliest', format: 'raw' }), {
    channels: ['a'],
    start: 'earliest',
    raw: true,
  })
  t.strictSame(
    parseReadQuery({ channel: ['b', 'a', 'b'], cursor: 'abcd.12' }).channels,
    ['a', 'b'],
    'sorted, once',
  )
  t.strictSame(parseReadQuery({ cursor: 'abcd.12' }).start, { epoch: 'abcd', seq: 12 })
  t.throws(() => parseReadQuery({ cursor: ['abcd.1', 'abcd.1'] }), {
    code: 'TIDINGS_ERR_CURSOR',
    message: /once/,
  })
  t.throws(() => parseReadQuery({ format: ['raw', 'raw'] }), { code: 'TIDINGS_ERR_FORMAT', message: /once/ })
  t.equal(parseReadQuery({ channel: ['a', 'a'], format: 'raw' }).raw, true, 'one channel, named twice')
})

t.test('where a stream starts', async (t) => {
  const place = { epoch: 'abcd', seq: 0 }
  const hole = { epoch: 'none', seq: 0 }
  t.strictSame(parseStreamQuery({ cursor: 'now' }, 'abcd.0').start, place, 'the header wins')
  t.strictSame(
    parseStreamQuery({ cursor: 'now', lastEventId: 'abcd.0' }, undefined).start,
    place,
    'and so does',
  )
  t.strictSame(parseStreamQuery({ cursor: 'x', lastEventId: 'abcd.1' }, 'abcd.0').start, place)
  t.strictSame(
    parseStreamQuery({ lastEventId: ['x', 'abcd.0'] }, undefined).start,
    place,
    'the last one counts',
  )
  t.equal(parseStreamQuery({ cursor: 'now', lastEventId: '' }, '').start, 'now', 'an empty one is none')
  t.equal(parseStreamQuery({ lastEventId: '' }, undefined).start, undefined)
  t.throws(() => parseStreamQuery({ cursor: 'x' }, undefined), { code: 'TIDINGS_ERR_CURSOR' })
  for (const id of [
    'x',
    '5',
    'earliest',
    'now',
    'abcd.01',
    'abcd.9999999999999999',
    'a\nid: b',
    'é'.repeat(999),
  ]) {
    t.strictSame(parseStreamQuery({ cursor: 'now' }, id).start, hole, id.slice(0, 20))
    t.strictSame(parseStreamQuery({ lastEventId: id }, undefined).start, hole)
  }
})

t.test('the channels of one view are the same, whatever their order', async (t) => {
  t.strictSame(
    parseReadQuery({ channel: ['a', 'b'] }).channels,
    parseReadQuery({ channel: ['b', 'a'] }).channels,
  )
})

t.test('what a socket asks for', async (t) => {
  t.strictSame(parseSocketQuery({}).channels, ['default'])
  t.strictSame(parseSocketQuery({ channel: 'a' }).channels, ['a'])
  t.strictSame(parseSocketQuery({ channel: '', cursor: 'now' }), { channels: [], start: 'now', raw: false })
  t.throws(() => parseSocketQuery({ channel: '', format: 'raw' }), { code: 'TIDINGS_ERR_FORMAT' })
  t.throws(() => parseSocketQuery({ channel: ['', 'a'] }), { code: 'TIDINGS_ERR_CHANNEL' })
})

t.test('the channel of a publish', async (t) => {
  t.equal(parseChannel({}), 'default')
  t.equal(parseChannel({ channel: 'a' }), 'a')
  for (const channel of ['', 'a b', ['a']]) {
    t.throws(() => parseChannel({ channel }), { code: 'TIDINGS_ERR_CHANNEL' })
  }
})

t.test('limit', async (t) => {
  t.equal(parseLimit({}, 100, 1000), 100)
  t.equal(parseLimit({}, 100, 10), 10)
  t.equal(parseLimit({ limit: '1000' }, 100, 1000), 1000)
  for (const limit of ['', '0', '1001', '-1', '+1', ' 1', '1.0', '0x1', '9'.repeat(16), ['1']]) {
    t.throws(() => parseLimit({ limit }, 100, 1000), { code: 'TIDINGS_ERR_LIMIT', message: /to 1000$/ })
  }
})

t.test('wait', async (t) => {
  t.strictSame(parseWait({}, undefined, 25, 55), { seconds: 25, preferred: false })
  t.strictSame(parseWait({}, undefined, 25, 5), { seconds: 5, preferred: false })
  t.strictSame(parseWait({ wait: '0' }, undefined, 25, 55), { seconds: 0, preferred: false })
  t.strictSame(parseWait({ wait: '999999' }, undefined, 25, 55), { seconds: 55, preferred: false })
  t.strictSame(parseWait({ wait: '9'.repeat(400) }, undefined, 25, 55), { seconds: 55, preferred: false })
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
