import fastifyCors from '@fastify/cors'
import t from 'tap'
import { memoryBus } from '../../index.ts'
import { build, type Frame } from '../helper.ts'
import { type Answer, ask } from '../request.ts'

const read = (url: string, query = '', headers = {}, method = 'GET') =>
  ask(`${url}/poll${query}`, { headers, method })

const data = (answer: Answer) => answer.json.messages.map((message: Frame) => message.data)

/** The cursor in a weak tag. */
const tag = (cursor: string) => `W/"${cursor}"`

t.test('no cursor, and now: a place to go on from', async (t) => {
  const { app, url } = await build(t)
  const empty = await read(url)
  t.match(empty.json.cursor, /^[A-Za-z0-9_-]{4,32}\.0$/)
  const { cursor } = await app.tidings.publish('default', 'kept')
  for (const query of ['', '?cursor=now']) {
    const answer = await read(url, query)
    t.equal(answer.status, 200)
    t.equal(answer.text, `{"cursor":"${cursor}","messages":[],"more":false}`)
    t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal(answer.headers.etag, tag(cursor))
    t.notOk(answer.headers['tidings-cursor'], 'it stands in the body')
  }
})

t.test('the messages after a cursor, in log order', async (t) => {
  const { app, url } = await build(t)
  const first = await app.tidings.publish('b', { n: 1 })
  const second = await app.tidings.publish('a', 'two')
  const third = await app.tidings.publish('b', Buffer.from([3]))
  await app.tidings.publish('c', 'of another channel')
  const { json: all, headers } = await read(url, '?channel=b&channel=a&channel=b&cursor=earliest')
  const head = first.cursor.replace(/1$/, '4')
  t.strictSame(all, {
    cursor: head,
    messages: [
      { cursor: first.cursor, channel: 'b', time: first.time, data: { n: 1 } },
      { cursor: second.cursor, channel: 'a', time: second.time, data: 'two' },
      { cursor: third.cursor, channel: 'b', time: third.time, data: 'Aw==', encoding: 'base64' },
    ],
    more: false,
  })
  t.equal(headers.etag, tag(head))
  t.strictSame(data(await read(url, `?channel=b&cursor=${first.cursor}`)), ['Aw=='])
  t.strictSame(data(await read(url, `?channel=a&channel=b&cursor=${first.cursor}`)), ['two', 'Aw=='])
})

t.test('nothing after it: 204, and the head to go on from', async (t) => {
  const { app, url } = await build(t)
  const { cursor } = await app.tidings.publish('default', 1)
  const other = await app.tidings.publish('other', 2)
  for (const query of [`?cursor=${cursor}`, `?cursor=${other.cursor}`, '?channel=none&cursor=earliest']) {
    const answer = await read(url, query)
    t.equal(answer.status, 204, query)
    t.equal(answer.text, '')
    t.equal(answer.headers['tidings-cursor'], other.cursor)
    t.equal(answer.headers.etag, tag(other.cursor))
    t.equal(answer.headers['cache-control'], 'no-store')
    t.notOk(answer.headers['content-type'])
  }
  await read(url, '?channel=none')
  t.equal(app.tidings.bus.log.kept.channels, 2, 'reading makes no channel')
})

t.test('limit, and more', async (t) => {
  const { app, url } = await build(t, { poll: { limit: 2, maxLimit: 3 } })
  const cursors: string[] = []
  for (let i = 1; i <= 4; i++) cursors.push((await app.tidings.publish('default', i)).cursor)
  const rows: [string, number[], string, boolean][] = [
    ['', [1, 2], cursors[1]!, true],
    ['&limit=1', [1], cursors[0]!, true],
    ['&limit=3', [1, 2, 3], cursors[2]!, true],
  ]
  for (const [query, messages, cursor, more] of rows) {
    const answer = await read(url, `?cursor=earliest${query}`)
    t.strictSame(data(answer), messages)
    t.equal(answer.json.cursor, cursor)
    t.equal(answer.headers.etag, tag(cursor))
    t.equal(answer.json.more, more)
  }
  await app.tidings.publish('other', 5)
  const rest = await read(url, `?cursor=${cursors[1]}`)
  t.strictSame(data(rest), [3, 4])
  t.strictSame([rest.json.more, rest.json.cursor], [false, cursors[0]!.replace(/1$/, '5')], 'the head')
})

t.test('100 messages unless asked otherwise, 1,000 the most', async (t) => {
  const { app, url } = await build(t)
  for (let i = 1; i <= 1001; i++) await app.tidings.publish('default', i)
  t.equal(data(await read(url, '?cursor=earliest')).length, 100)
  t.equal(data(await read(url, '?cursor=earliest&limit=1000')).length, 1000)
  const over = await read(url, '?cursor=earliest&limit=1001')
  t.equal(over.status, 400)
  t.match(over.json.message, "'limit'")
})

t.test('a default above the most is the most', async (t) => {
  const { app, url } = await build(t, { poll: { maxLimit: 1 } })
  await app.tidings.publish('default', 1)
  await app.tidings.publish('default', 2)
  t.strictSame(data(await read(url, '?cursor=earliest')), [1])
})

t.test('1 MiB a page at most, but at least one message', async (t) => {
  const { app, url } = await build(t)
  const text = 'é'.repeat(150_000)
  for (let i = 0; i < 4; i++) await app.tidings.publish('default', text)
  await app.tidings.publish('default', 'x'.repeat(2 * 1024 * 1024))
  await app.tidings.publish('default', 'last')
  const sizes = []
  for (let cursor = 'earliest', more = true; more; ) {
    const answer = await read(url, `?cursor=${cursor}`)
    sizes.push(data(answer).length)
    t.ok(answer.bytes.length <= 1024 * 1024 || data(answer).length === 1, `${answer.bytes.length} bytes`)
    ;({ cursor, more } = answer.json)
  }
  t.strictSame(sizes, [3, 1, 1, 1])
})

t.test('a page is as full as the bound lets it', async (t) => {
  const { app, url } = await build(t, { poll: { maxBytes: 2000 } })
  for (let i = 0; i < 3; i++) await app.tidings.publish('default', 'x'.repeat(550))
  const { bytes, json } = await read(url, '?cursor=earliest')
  t.strictSame([json.messages.length, json.more], [3, false])
  t.ok(bytes.length <= 2000 && bytes.length > 1800, `${bytes.length} bytes`)
})

t.test('410: trimmed, epoch, ahead', async (t) => {
  const { app, url } = await build(t, { retention: { messages: 2 } })
  const cursors: string[] = []
  for (let i = 1; i <= 5; i++) cursors.push((await app.tidings.publish('default', i)).cursor)
  const [first, , floor, , head] = cursors as [string, string, string, string, string]
  const rows: [string, string, string, string][] = [
    ['', first, 'trimmed', floor],
    ['&channel=other', first, 'trimmed', floor],
    ['&format=raw', first, 'trimmed', floor],
    ['', 'other-epoch.5', 'epoch', floor],
    ['', 'abcd.9007199254740991', 'epoch', floor],
    ['', head.replace(/5$/, '9007199254740991'), 'ahead', head],
    ['', head.replace(/5$/, '6'), 'ahead', head],
  ]
  for (const [more, cursor, reason, goOn] of rows) {
    const { status, json, headers } = await read(url, `?channel=default&cursor=${cursor}${more}`)
    t.equal(status, 410, `${reason}${more}`)
    const { message, ...body } = json
    t.strictSame(body, { statusCode: 410, code: 'TIDINGS_ERR_GAP', error: 'Gone', reason, cursor: goOn })
    t.match(message, goOn)
    t.equal(headers['tidings-gap'], reason)
    t.equal(headers['tidings-cursor'], goOn)
    t.equal(headers['cache-control'], 'no-store')
    t.notOk(headers.etag)
  }
  t.strictSame(data(await read(url, `?cursor=${floor}`)), [4, 5], 'told once')
  t.strictSame(data(await read(url, '?cursor=earliest')), [4, 5], 'earliest is no gap')
  t.equal(
    (await read(url, `?channel=other&cursor=${first}`)).status,
    204,
    'of another channel nothing is gone',
  )
})

t.test('410 keeps its headers where the app reshapes the bodies of errors', async (t) => {
  const { url } = await build(
    t,
    {},
    {
      before: (app) => {
        app.setErrorHandler((error: Frame, _request, reply) => reply.code(error.statusCode).send('reshaped'))
      },
    },
  )
  const { status, text, headers } = await read(url, '?cursor=abcd.7')
  t.strictSame([status, text], [410, 'reshaped'])
  t.match(headers, { 'tidings-gap': 'epoch', 'tidings-cursor': /\.0$/, 'cache-control': 'no-store' })
})

t.test('400 names the parameter', async (t) => {
  const { url } = await build(t)
  const channels = (count: number) => Array.from({ length: count }, (_, i) => `channel=c${i}`).join('&')
  const rows: [string, string][] = [
    ['cursor=', 'cursor'],
    ['cursor=5', 'cursor'],
    ['cursor=Earliest', 'cursor'],
    ['cursor=abc.5', 'cursor'],
    ['cursor=abcd.05', 'cursor'],
    ['cursor=abcd.-1', 'cursor'],
    ['cursor=abcd.12345678901234567', 'cursor'],
    ['cursor=abcd.9007199254740992', 'cursor'],
    ['cursor=abcd.9999999999999999', 'cursor'],
    [`cursor=${'a'.repeat(33)}.1`, 'cursor'],
    ['cursor=abcd.1&cursor=abcd.1', 'cursor'],
    ['channel=', 'channel'],
    ['channel=a%20b', 'channel'],
    ['channel=a/b', 'channel'],
    ['channel=%C3%A9', 'channel'],
    [`channel=${'a'.repeat(129)}`, 'channel'],
    ['channel=a&channel=', 'channel'],
    [channels(33), 'channel'],
    ['limit=', 'limit'],
    ['limit=0', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=1&limit=1', 'limit'],
    ['limit=x&format=raw', 'limit'],
    ['format=', 'format'],
    ['format=json', 'format'],
    ['format=raw&format=raw', 'format'],
    ['format=raw&channel=a&channel=b', 'format'],
  ]
  for (const [query, name] of rows) {
    const { status, json, headers } = await read(url, `?${query}`)
    t.equal(status, 400, query.slice(0, 60))
    t.match(json, { statusCode: 400, code: /^TIDINGS_ERR_/, error: 'Bad Request' })
    t.match(json.message, `'${name}'`)
    t.equal(headers['cache-control'], 'no-store')
  }
  t.equal((await read(url, `?${channels(32)}`)).status, 200)
  t.equal((await read(url, `?channel=${'aZ09_.:~-'.repeat(14)}`)).status, 200)
  t.equal((await read(url, '?wait=x', { prefer: 'wait=1' })).status, 200, 'wait is no parameter of /poll')
})

t.test('the raw form: the next payload alone', async (t) => {
  const { app, url } = await build(t)
  const rows: [unknown, string, Buffer][] = [
    [{ a: [1, 'é'] }, 'application/json', Buffer.from('{"a":[1,"é"]}')],
    ['a\r\né"', 'text/plain; charset=utf-8', Buffer.from('a\r\né"')],
    ['', 'text/plain; charset=utf-8', Buffer.alloc(0)],
    [Buffer.from([0, 200, 255]), 'application/octet-stream', Buffer.from([0, 200, 255])],
    [Buffer.alloc(0), 'application/octet-stream', Buffer.alloc(0)],
  ]
  const start = await read(url, '?format=raw')
  t.strictSame([start.status, start.text], [204, ''], 'an empty body would be a payload')
  const empty = start.headers['tidings-cursor'] as string
  t.match(empty, /\.0$/)
  const published = []
  for (const [payload] of rows) published.push((await app.tidings.publish('default', payload)).cursor)
  let cursor = empty
  for (const [i, [payload, type, body]] of rows.entries()) {
    const answer = await read(url, `?format=raw&cursor=${cursor}`)
    t.equal(answer.status, 200)
    t.strictSame(answer.bytes, body, JSON.stringify(payload))
    cursor = answer.headers['tidings-cursor'] as string
    t.equal(cursor, published[i])
    t.equal(answer.headers['content-type'], type)
    t.equal(answer.headers['x-content-type-options'], 'nosniff')
    t.equal(answer.headers['content-security-policy'], 'sandbox')
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal(answer.headers.etag, tag(cursor))
    t.equal(Number(answer.headers['content-length']), body.length)
  }
  for (const query of ['', '&cursor=now', `&cursor=${cursor}`]) {
    const end = await read(url, `?format=raw${query}`)
    t.equal(end.status, 204)
    t.equal(end.headers['tidings-cursor'], cursor)
  }
})

t.test('If-None-Match: 304 instead of 204', async (t) => {
  const { app, url } = await build(t)
  const { cursor: asked } = await app.tidings.publish('default', 1)
  const { cursor: head } = await app.tidings.publish('other', 2)
  const older = asked.replace(/1$/, '0')
  const rows: [string, string, number][] = [
    ['the cursor that the answer carries', tag(head), 304],
    ['the one asked from', tag(asked), 304],
    ['strong', `"${head}"`, 304],
    ['an older one', tag(older), 204],
    ['of another epoch', tag(head.replace(/^.{4}/, 'xxxx')), 204],
    ['the first of ours counts', `"foreign", W/"x", ${tag(head)}, ${tag(older)}`, 304],
    ['the second of ours does not', `${tag(older)}, ${tag(head)}`, 204],
    ['foreign', '"33a64df5"', 204],
    ['any', '*', 204],
    ['empty', '', 204],
    ['no tag', head, 204],
  ]
  for (const [name, sent, status] of rows) {
    const answer = await read(url, `?cursor=${asked}`, { 'if-none-match': sent })
    t.equal(answer.status, status, name)
    t.equal(answer.text, '')
    t.equal(answer.headers['tidings-cursor'], head)
    t.equal(answer.headers.etag, tag(head), 'the headers of the 204')
    t.equal(answer.headers['cache-control'], 'no-store')
  }
  const news = await read(url, `?cursor=${older}`, { 'if-none-match': tag(older) })
  t.strictSame([news.status, data(news)], [200, [1]], 'news are news')
  const raw = await read(url, '?format=raw&cursor=now', { 'if-none-match': tag(head) })
  t.equal(raw.status, 304)
})

t.test('If-None-Match as the cursor, where the query names none', async (t) => {
  const { app, url } = await build(t)
  const place = await read(url)
  const quiet = await read(url, '', { 'if-none-match': place.headers.etag })
  t.equal(quiet.status, 304)
  t.equal(quiet.headers.etag, place.headers.etag)
  await app.tidings.publish('default', 'news')
  const news = await read(url, '', { 'if-none-match': `"foreign", ${place.headers.etag}` })
  t.strictSame([news.status, data(news)], [200, ['news']])
  const stale = await read(url, '', { 'if-none-match': 'W/"abcd.1"' })
  t.strictSame([stale.status, stale.headers['tidings-gap']], [410, 'epoch'])
  for (const ignored of ['*', '"foreign"']) {
    const answer = await read(url, '', { 'if-none-match': ignored })
    t.strictSame([answer.status, data(answer)], [200, []], ignored)
  }
  const now = await read(url, '?cursor=now', { 'if-none-match': place.headers.etag })
  t.strictSame([now.status, data(now)], [200, []], 'the query names one')
})

t.test('HEAD', async (t) => {
  const { app, url } = await build(t)
  await app.tidings.publish('default', 1)
  const got = await read(url, '?cursor=earliest')
  const head = await read(url, '?cursor=earliest', {}, 'HEAD')
  t.equal(head.status, 200)
  t.equal(head.text, '')
  for (const name of ['etag', 'content-type', 'content-length', 'cache-control']) {
    t.equal(head.headers[name], got.headers[name], name)
  }
  t.equal((await read(url, '?cursor=abcd.1', {}, 'HEAD')).headers['tidings-gap'], 'epoch')
  t.equal((await read(url, `?cursor=${got.json.cursor}`, {}, 'HEAD')).status, 204)
})

const EXPOSED = 'Tidings-Cursor, Tidings-Gap, ETag, Retry-After, Preference-Applied'

t.test('what a page of another origin may read', async (t) => {
  const { url } = await build(t)
  const name = 'access-control-expose-headers'
  for (const query of ['', '?cursor=abcd.1', '?cursor=', '?format=raw']) {
    t.equal((await read(url, query, { origin: 'http://x.example' })).headers[name], EXPOSED, query)
    t.notOk((await read(url, query)).headers[name], 'no origin, no header')
  }
})

t.test('what a page of another origin may read, joined with what CORS has set', async (t) => {
  const { url } = await build(
    t,
    {},
    { before: (app) => app.register(fastifyCors, { exposedHeaders: ['X-Mine', 'etag'] }) },
  )
  const { headers } = await read(url, '', { origin: 'http://x.example' })
  t.equal(headers['access-control-allow-origin'], '*')
  t.equal(headers['access-control-expose-headers'], `X-Mine, etag, ${EXPOSED.replace('ETag, ', '')}`)
})

t.test('a bus that is given is read', async (t) => {
  const bus = memoryBus()
  await bus.publish('default', { kind: 'json', json: '1', size: 1 })
  const { url } = await build(t, { bus })
  t.strictSame(data(await read(url, '?cursor=earliest')), [1])
})
