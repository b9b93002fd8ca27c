import t, { type Test } from 'tap'
import { build, live, openSocket, openStream, post, type SocketClient } from '../helper.ts'
import { ask } from '../request.ts'

/** 'a' has '1' and has ended with 'last', 'b' has '2' and has ended with nothing, 'c' has '3' and goes on. */
async function ended(t: Test) {
  const built = await build(t, { publish: true })
  const { tidings } = built.app
  const at = (seq: number) => tidings.bus.log.cursor(seq)
  await tidings.publish('a', '1')
  await tidings.end('a', 'last')
  await tidings.publish('b', '2')
  await tidings.end('b')
  await tidings.publish('c', '3')
  const get = (path: string, headers: Record<string, string> = {}) => ask(built.url + path, { headers })
  return { ...built, tidings, at, get }
}

const dataOf = ({ json }: { json: { messages: { data: unknown }[] } }) =>
  json.messages.map(({ data }) => data)

t.test('a publish with `end` ends the channel', async (t) => {
  const { url, tidings, at, get } = await ended(t)
  for (const [i, query] of ['end', 'end=', 'end=true'].entries()) {
    const { status, body } = await post(`${url}/publish?channel=n${i}&${query}`, 'last')
    t.strictSame([status, body.cursor, body.channel], [201, at(6 + i), `n${i}`])
    t.match(await get(`/poll?channel=n${i}&cursor=earliest`), {
      json: { messages: [{ data: 'last', end: true }], ended: [`n${i}`] },
    })
  }
  const bare = await ask(`${url}/publish?channel=bare&end`, { method: 'POST' })
  t.strictSame([bare.status, bare.json.channel], [201, 'bare'])
  t.match((await get('/poll?channel=bare&cursor=earliest')).json, {
    messages: { length: 0 },
    ended: ['bare'],
  })
  const json = { 'content-type': 'application/json' }
  t.equal((await post(`${url}/publish?channel=json&end`, '', json)).status, 201)
  t.equal((await post(`${url}/publish?channel=no&end=false`, 'x')).status, 201)
  t.equal(tidings.bus.log.endOf('no'), undefined)
  for (const query of ['end=1', 'end=yes', 'end&end', 'end=TRUE']) {
    const { status, body } = await post(`${url}/publish?channel=bad&${query}`, 'x')
    t.match([status, body], [400, { code: 'TIDINGS_ERR_END', message: /'end'/ }], query)
  }
  t.equal(
    (await post(`${url}/publish?channel=bad&end`, '{', json)).status,
    400,
    'its data has to be good, too',
  )
  t.equal(tidings.bus.log.endOf('bad'), undefined)
})

t.test('nothing is published behind an end until the channel is reopened', async (t) => {
  const { url, tidings, get } = await ended(t)
  for (const query of ['', '&end']) {
    const { status, body } = await post(`${url}/publish?channel=a${query}`, 'x')
    t.match([status, body], [409, { code: 'TIDINGS_ERR_ENDED', message: /'a'/ }])
  }
  const socket = await openSocket(t, `${url}/ws?channel=c`)
  await socket.json()
  socket.send({ type: 'publish', channel: 'a', data: 'x', ref: 1 })
  t.match(await socket.json(), { type: 'error', ref: 1, code: 'TIDINGS_ERR_ENDED' })
  await t.rejects(tidings.publish('a', 'x'), { code: 'TIDINGS_ERR_ENDED', statusCode: 409 } as never)
  await t.rejects(tidings.end('a'), { code: 'TIDINGS_ERR_ENDED' } as never)
  const head = tidings.bus.log.head
  await tidings.reopen('a')
  t.equal((await post(`${url}/publish?channel=a`, '4')).status, 201)
  const page = await get('/poll?channel=a&cursor=earliest')
  t.strictSame([dataOf(page), page.json.ended], [['1', 'last', '4'], undefined])
  t.ok(tidings.bus.log.head > head)
  await t.rejects(tidings.reopen('no name'), { code: 'TIDINGS_ERR_CHANNEL' } as never)
})

t.test('an end whose data are too large ends nothing', async (t) => {
  const { app, url } = await build(t, { publish: true, payloadLimit: 100, retention: { bytes: 10_000 } })
  const { tidings } = app
  const large = 'x'.repeat(101)
  t.equal((await post(`${url}/publish?channel=a&end`, large)).status, 413)
  const socket = await openSocket(t, `${url}/ws?channel=`)
  await socket.json()
  for (const frame of [
    { channel: 'a', data: large },
    { channel: 'a', data: { large } },
    { channel: 'a', data: Buffer.alloc(101).toString('base64'), encoding: 'base64' },
  ]) {
    socket.send({ type: 'publish', end: true, ref: 1, ...frame })
    t.match(await socket.json(), { type: 'error', ref: 1, code: 'TIDINGS_ERR_TOO_LARGE' })
  }
  const over = { code: 'TIDINGS_ERR_TOO_LARGE', statusCode: 413 } as never
  await t.rejects(tidings.end('a', 'x'.repeat(10_000)), over, 'more than the log may hold')
  t.strictSame([tidings.bus.log.endOf('a'), tidings.bus.log.head], [undefined, 0])
  t.equal((await post(`${url}/publish?channel=a`, 'x')).status, 201)
})

t.test('an idempotency key goes with an end', async (t) => {
  const { url } = await build(t, { publish: true })
  const headers = { 'content-type': 'text/plain', 'idempotency-key': 'k' }
  const first = await post(`${url}/publish?channel=a&end`, 'x', headers)
  const again = await post(`${url}/publish?channel=a&end`, 'x', headers)
  t.strictSame([first.status, again.status, again.body], [201, 200, first.body])
  t.equal((await post(`${url}/publish?channel=a`, 'x', headers)).status, 422, 'it was an end')
})

t.test('a page says which of its channels have ended where it ends', async (t) => {
  const { tidings, at, get } = await ended(t)
  const all = 'channel=a&channel=b&channel=c'
  for (const path of ['/poll', '/longpoll']) {
    const pages = []
    let cursor = 'earliest'
    for (let more = true; more; ) {
      const { json } = await get(`${path}?${all}&limit=1&cursor=${cursor}`)
      pages.push([json.messages.map(({ data }: { data: string }) => data).join(), json.ended, json.more])
      ;({ cursor, more } = json)
    }
    t.strictSame(pages, [
      ['1', undefined, true],
      ['last', ['a'], true],
      ['2', ['a'], true],
      ['', ['a', 'b'], true],
      ['3', ['a', 'b'], false],
    ])
    t.equal(cursor, at(5))
    t.strictSame((await get(`${path}?${all}&cursor=earliest`)).json.ended, ['a', 'b'])
    t.strictSame((await get(`${path}?${all}`)).json, {
      cursor: at(5),
      messages: [],
      more: false,
      ended: ['a', 'b'],
    })
  }
  t.equal((await get(`/poll?${all}&cursor=${at(5)}`)).status, 204, 'the others go on')
  t.strictSame((await get(`/poll?channel=a&channel=b&cursor=${at(5)}`)).json, {
    cursor: at(5),
    messages: [],
    more: false,
    ended: ['a', 'b'],
  })
  await tidings.reopen('a')
  t.strictSame((await get(`/poll?${all}&cursor=earliest`)).json.ended, ['b'])
})

t.test('a long poll holds on for those that go on, and never where all have ended', async (t) => {
  const { app, tidings, at, get } = await ended(t)
  const held = get(`/longpoll?channel=a&channel=c&cursor=${at(5)}`)
  await live(app, 1)
  await tidings.publish('other', 'x')
  await tidings.publish('c', '4')
  t.match((await held).json, { messages: [{ data: '4' }], ended: ['a'] })
  for (const [cursor, last] of [
    [at(4), []],
    ['now', []],
    [at(1), ['last']],
  ] as const) {
    const page = await get(`/longpoll?channel=a&channel=b&cursor=${cursor}&wait=55`)
    t.strictSame([page.status, page.json.ended, page.json.more], [200, ['a', 'b'], false], cursor)
    t.strictSame(dataOf(page), cursor === at(1) ? ['last', '2'] : last)
  }
  const ending = get(`/longpoll?channel=a&channel=c&cursor=${at(7)}`)
  await live(app, 1)
  await tidings.end('c')
  t.match(await ending, { status: 200, json: { messages: { length: 0 }, ended: ['a', 'c'], cursor: at(8) } })
})

t.test('polls in the raw form', async (t) => {
  const { app, tidings, at, get } = await ended(t)
  for (const path of ['/poll', '/longpoll']) {
    const raw = (channel: string, cursor: string, headers = {}) =>
      get(`${path}?channel=${channel}&format=raw&cursor=${cursor}`, headers)
    const end = (cursor: string, name: string) => ({
      status: 204,
      text: '',
      headers: { 'tidings-ended': name, 'tidings-cursor': cursor },
    })
    t.match(await raw('b', 'earliest'), { status: 200, text: '2', headers: { 'tidings-ended': undefined } })
    t.match(await raw('b', at(3)), end(at(4), 'b'))
    t.match(await raw('b', at(4)), end(at(5), 'b'))
    t.match(await raw('b', 'now'), end(at(5), 'b'))
    t.match(await get(`${path}?channel=b&format=raw`), end(at(5), 'b'))
    const headers = { 'tidings-ended': 'a', 'tidings-cursor': at(2) }
    t.match(await raw('a', at(1)), { status: 200, text: 'last', headers }, 'an end with data')
    t.match(await raw('a', at(2)), end(at(5), 'a'))
    const exposed = (await raw('b', at(4), { origin: 'https://a.example' })).headers
    t.match(exposed['access-control-expose-headers'], /^Tidings-Ended, Tidings-Cursor, .*Preference-Applied$/)
  }
  const held = get('/longpoll?channel=c&format=raw&cursor=now')
  await live(app, 1)
  await tidings.end('c')
  t.match(await held, { status: 204, headers: { 'tidings-ended': 'c', 'tidings-cursor': at(6) } })
})

t.test('a stream tells each end, and ends with the last', async (t) => {
  const { app, url, tidings, at } = await ended(t)
  const stream = await openStream(t, `${url}/sse?channel=a&channel=c&cursor=earliest`)
  t.match(await stream.next(), { event: 'ready' })
  t.match(await stream.next(), { id: at(1), data: /"1"/ })
  t.strictSame(await stream.next(), {
    event: 'end',
    data: `{"channel":"a","cursor":"${at(2)}","data":"last"}`,
    id: at(2),
  })
  t.match(await stream.next(), { id: at(5), data: /"3"/ })
  await live(app, 1)
  await tidings.end('c')
  t.strictSame(await stream.next(), {
    event: 'end',
    data: `{"channel":"c","cursor":"${at(6)}"}`,
    id: at(6),
  })
  t.strictSame(await stream.next(), { retry: '86400000' })
  await stream.ended
  t.strictSame(stream.rest, [])
  await live(app, 0)

  // As an EventSource does that comes back, and who comes late.
  for (const [query, headers, place] of [
    ['', { 'last-event-id': at(6) }, 6],
    ['&cursor=now', {}, 6],
    ['&format=raw', {}, 6],
  ] as const) {
    const again = await openStream(t, `${url}/sse?channel=c${query}`, headers)
    t.match(await again.next(), { event: 'ready', id: at(place) })
    t.match(await again.next(), { event: 'end', id: at(place) })
    t.strictSame(await again.next(), { retry: '86400000' })
    await again.ended
  }
  const raw = await openStream(t, `${url}/sse?channel=a&format=raw&cursor=earliest`)
  await raw.next()
  t.match(await raw.next(), { event: undefined, data: '1' })
  t.match(await raw.next(), { event: 'end', data: /"data":"last"/, id: at(2) })
  await raw.ended
})

async function skip(socket: SocketClient, frames: number): Promise<void> {
  for (let i = 0; i < frames; i++) await socket.json()
}

t.test('a socket tells each end, and stays', async (t) => {
  const { url, tidings, at } = await ended(t)
  const socket = await openSocket(t, `${url}/ws?channel=a&cursor=earliest`)
  await skip(socket, 2)
  t.strictSame(await socket.json(), { type: 'end', channel: 'a', cursor: at(2), data: 'last' })
  socket.send({ type: 'subscribe', channel: 'b', cursor: 'earliest', ref: 1 })
  t.match(await socket.json(), { channel: 'b', data: '2' })
  t.strictSame(await socket.json(), { type: 'end', channel: 'b', cursor: at(4) })
  t.match(await socket.json(), { type: 'subscribed', channel: 'b' })
  socket.send({ type: 'subscribe', channel: 'c' })
  t.match(await socket.json(), { type: 'subscribed', channel: 'c' })
  socket.send({ type: 'publish', channel: 'c', data: { n: 1 }, end: true, ref: 2 })
  const got = [await socket.json(), await socket.json()].sort((a, b) => (a.type < b.type ? -1 : 1))
  t.strictSame(got, [
    { type: 'end', channel: 'c', cursor: at(6), data: { n: 1 } },
    { type: 'published', ref: 2, cursor: at(6) },
  ])
  await tidings.reopen('c')
  await tidings.publish('c', '4')
  t.match(await socket.json(), { channel: 'c', data: '4' })
  const late = await openSocket(t, `${url}/ws?channel=a&channel=c`)
  await skip(late, 1)
  t.strictSame(await late.json(), { type: 'end', channel: 'a', cursor: at(8), data: 'last' })
  late.send({ type: 'subscribe', channel: 'b', ref: 3 })
  t.strictSame(await late.json(), { type: 'end', channel: 'b', cursor: at(4) })
  t.match(await late.json(), { type: 'subscribed', channel: 'b' })
})

t.test('publish frames that end', async (t) => {
  const { url, tidings, at } = await ended(t)
  const socket = await openSocket(t, `${url}/ws?channel=`)
  await skip(socket, 1)
  const answer = async (members: object) => {
    socket.send({ type: 'publish', ref: 1, ...members })
    return socket.json()
  }
  t.strictSame(await answer({ channel: 'd', end: true, key: 'k' }), {
    type: 'published',
    ref: 1,
    cursor: at(6),
  })
  t.strictSame(await answer({ channel: 'd', end: true, key: 'k' }), {
    type: 'published',
    ref: 1,
    cursor: at(6),
  })
  t.match(await answer({ channel: 'd', end: true }), { code: 'TIDINGS_ERR_ENDED' })
  t.match(await answer({ channel: 'e', end: 'yes', data: 1 }), { code: 'TIDINGS_ERR_END', message: /'end'/ })
  t.match(await answer({ channel: 'e', end: false }), { code: 'TIDINGS_ERR_DATA' })
  t.match(await answer({ channel: 'e', end: true, data: 'AP8=', encoding: 'base64' }), { type: 'published' })
  t.equal(tidings.bus.log.endOf('d')?.seq, 6)
  const reader = await openSocket(t, `${url}/ws?channel=e&cursor=earliest`)
  await skip(reader, 1)
  t.match(await reader.json(), { type: 'end', data: 'AP8=', encoding: 'base64' })
})

t.test('a raw socket closes with its channel', async (t) => {
  const { url, tidings } = await ended(t)
  for (const [query, payloads] of [
    ['channel=a&cursor=earliest', ['1', 'last']],
    ['channel=b&cursor=earliest', ['2']],
    ['channel=b', []],
  ] as const) {
    const socket = await openSocket(t, `${url}/ws?format=raw&${query}`)
    t.match(await socket.closed, { code: 1000 })
    t.strictSame(socket.rest, payloads)
  }
  const socket = await openSocket(t, `${url}/ws?format=raw&channel=c`)
  await tidings.end('c', Uint8Array.of(0, 255))
  t.match(await socket.closed, { code: 1000 })
  t.strictSame(socket.rest, [Buffer.of(0, 255)])
})

t.test('who may not publish may not end', async (t) => {
  const authorize = (_: unknown, { action }: { action: string }) => action !== 'publish'
  const { url } = await build(t, { authorize })
  t.equal((await post(`${url}/publish?end`, 'x')).status, 403)
  const socket = await openSocket(t, `${url}/ws`)
  await skip(socket, 1)
  socket.send({ type: 'publish', end: true })
  t.match(await socket.json(), { code: 'TIDINGS_ERR_FORBIDDEN' })
})
