import { Agent, request } from 'node:http'
import type { Socket } from 'node:net'
import fastifyCors from '@fastify/cors'
import t from 'tap'
import { build, type Frame, live, openRaw } from '../helper.ts'
import { type Answer, ask } from '../request.ts'

const read = (url: string, query = '', headers = {}) => ask(`${url}/longpoll${query}`, { headers })

const data = (answer: Answer) => answer.json.messages.map((message: Frame) => message.data)

t.test('without a cursor it answers at once, as /poll does', async (t) => {
  const { app, url } = await build(t)
  const { cursor } = await app.tidings.publish('default', 'kept')
  const answer = await read(url)
  t.equal(answer.status, 200)
  t.equal(answer.text, `{"cursor":"${cursor}","messages":[],"more":false}`)
  t.equal(answer.headers['cache-control'], 'no-store')
  t.notOk(answer.headers.etag)
  const raw = await read(url, '?format=raw')
  t.strictSame([raw.status, raw.text, raw.headers['tidings-cursor']], [204, '', cursor])
})

t.test('what stands after the cursor, at once', async (t) => {
  const { app, url } = await build(t)
  const first = await app.tidings.publish('default', 1)
  const last = await app.tidings.publish('default', 2)
  const answer = await read(url, '?cursor=earliest&limit=1')
  t.strictSame(answer.json, { cursor: first.cursor, messages: [first], more: true })
  t.notOk(answer.headers.etag)
  const rest = await read(url, `?cursor=${first.cursor}`)
  t.strictSame(rest.json, { cursor: last.cursor, messages: [last], more: false })
  const raw = await read(url, `?format=raw&cursor=${first.cursor}`)
  t.strictSame([raw.text, raw.headers['tidings-cursor']], ['2', last.cursor])
  t.equal(raw.headers['content-security-policy'], 'sandbox')
})

t.test('held until a message comes', async (t) => {
  const { app, url } = await build(t)
  const { cursor } = await app.tidings.publish('default', 1)
  const polls = [
    read(url, `?cursor=${cursor}`),
    read(url, '?cursor=now'),
    read(url, '?channel=none&channel=default&cursor=now'),
  ]
  const raw = read(url, '?cursor=now&format=raw')
  const none = read(url, '?channel=none&cursor=earliest')
  await live(app, 5)
  await app.tidings.publish('other', 'passes by')
  const second = await app.tidings.publish('default', 2)
  const third = await app.tidings.publish('default', 3)
  for (const answer of await Promise.all(polls)) {
    t.strictSame(answer.json, { cursor: third.cursor, messages: [second, third], more: false })
    t.equal(answer.headers['cache-control'], 'no-store')
  }
  t.strictSame([(await raw).text, (await raw).headers['tidings-cursor']], ['2', second.cursor])
  await app.tidings.publish('none', 4)
  t.strictSame(data(await none), [4])
  t.equal(app.tidings.bus.log.groups.watching, 0)
})

t.test('the wait ends: 204 and the head', async (t) => {
  const { app, url } = await build(t)
  const { cursor } = await app.tidings.publish('default', 1)
  const poll = read(url, `?cursor=${cursor}&wait=1`)
  await live(app, 1)
  const other = await app.tidings.publish('other', 2)
  const answer = await poll
  t.equal(answer.status, 204)
  t.equal(answer.text, '')
  t.equal(answer.headers['tidings-cursor'], other.cursor, 'an idle reader advances')
  t.equal(answer.headers['cache-control'], 'no-store')
  t.notOk(answer.headers.etag)
  t.notOk(answer.headers['preference-applied'])
  t.equal(app.tidings.bus.log.groups.watching, 0)
})

t.test('wait=0 does not wait, and needs no room', async (t) => {
  const { app, url } = await build(t, { maxReaders: 0 })
  const { cursor } = await app.tidings.publish('default', 1)
  const answer = await read(url, `?cursor=${cursor}&wait=0`)
  t.strictSame([answer.status, answer.headers['tidings-cursor']], [204, cursor])
  for (const [sent, status] of [
    [`W/"${cursor}"`, 304],
    ['W/"abcd.1"', 204],
    ['*', 204],
  ] as const) {
    const tagged = await read(url, `?cursor=${cursor}&wait=0`, { 'if-none-match': sent })
    t.equal(tagged.status, status, sent)
    t.equal(tagged.headers['tidings-cursor'], cursor)
  }
  const place = await read(url, '?wait=0', { 'if-none-match': `W/"${cursor}"` })
  t.equal(place.status, 200, 'a tag is no cursor here')
})

t.test('Prefer: wait', async (t) => {
  // A wait of no time answers at once, and says what it was.
  const { url } = await build(t, { longpoll: { wait: 0, maxWait: 0 } })
  const clamped = await build(t, { longpoll: { wait: 0, maxWait: 7 } })
  const { app } = clamped
  const { cursor } = await app.tidings.publish('default', 1)
  const before = cursor.replace(/1$/, '0')
  const rows: [string, string | undefined][] = [
    ['wait=5', 'wait=5'],
    ['wait=25', 'wait=7'],
    ['wait=0', 'wait=0'],
    ['Wait = 5', 'wait=5'],
    ['wait="5"', 'wait=5'],
    ['respond-async, wait=5', 'wait=5'],
    ['return=minimal; foo="a, wait=1", wait=5;x=y', 'wait=5'],
    ['foo="a\\"b, wait=1", wait=5', 'wait=5'],
    [', ,wait=5', 'wait=5'],
    ['wait=5, wait=6', 'wait=5'],
    ['b@d, wait=5', 'wait=5'],
    ['await=5', undefined],
    ['wait', undefined],
    ['wait=', undefined],
    ['wait=abc', undefined],
    ['wait=-1', undefined],
    ['wait=1.5', undefined],
    ['wait="5', undefined],
    ['wait=5 6', undefined],
    ['wait: 5', undefined],
    ['respond-async', undefined],
    ['', undefined],
  ]
  for (const [prefer, applied] of rows) {
    const answer = await read(clamped.url, `?cursor=${before}`, { prefer })
    t.equal(answer.status, 200, `'${prefer}'`)
    t.equal(answer.headers['preference-applied'], applied, `'${prefer}'`)
  }
  const ended = await read(url, '?cursor=now', { prefer: 'wait=25' })
  t.strictSame([ended.status, ended.headers['preference-applied']], [204, 'wait=0'], 'on a 204, too')
  const query = await read(clamped.url, `?cursor=${before}&wait=3`, { prefer: 'wait=5' })
  t.equal(query.status, 200)
  t.notOk(query.headers['preference-applied'], 'the query counts')
  const twice = await read(clamped.url, `?cursor=${before}`, { prefer: ['respond-async', 'wait=5'] })
  t.equal(twice.headers['preference-applied'], 'wait=5', 'on two lines')
  const place = await read(clamped.url, '', { prefer: 'wait=5' })
  t.notOk(place.headers['preference-applied'], 'nothing was waited for')
})

t.test('25 seconds by default, clamped to 55', async (t) => {
  const { app, url } = await build(t)
  const { cursor } = await app.tidings.publish('default', 1)
  const before = cursor.replace(/1$/, '0')
  const long = await read(url, `?cursor=${before}`, { prefer: 'wait=100' })
  t.equal(long.headers['preference-applied'], 'wait=55')
})

t.test('410 at once, never held', async (t) => {
  const { app, url } = await build(t, { retention: { messages: 1 } })
  const first = await app.tidings.publish('default', 1)
  const floor = await app.tidings.publish('default', 2)
  const head = await app.tidings.publish('default', 3)
  const rows: [string, string, string][] = [
    [first.cursor, 'trimmed', floor.cursor],
    ['abcd.1', 'epoch', floor.cursor],
    [head.cursor.replace(/3$/, '4'), 'ahead', head.cursor],
  ]
  for (const [cursor, reason, goOn] of rows) {
    const { status, json, headers } = await read(url, `?cursor=${cursor}`, { prefer: 'wait=50' })
    t.equal(status, 410)
    t.match(json, { statusCode: 410, code: 'TIDINGS_ERR_GAP', reason, cursor: goOn })
    t.match(headers, { 'tidings-gap': reason, 'tidings-cursor': goOn, 'cache-control': 'no-store' })
  }
})

t.test('a hole that comes while a poll is held', async (t) => {
  const { app, url } = await build(
    t,
    { retention: { messages: 1 } },
    {
      before: (app) => {
        // As one poll is answered, a hook publishes what takes the next poll's message away.
        app.addHook('onSend', (request, _reply, _payload, done) => {
          if (request.url.includes('channel=first')) app.tidings.publish('second', 'later')
          done()
        })
      },
    },
  )
  const first = read(url, '?channel=first&cursor=now')
  await live(app, 1)
  const second = read(url, '?channel=second&cursor=now')
  await live(app, 2)
  app.tidings.publish('first', 1)
  const { cursor } = await app.tidings.publish('second', 'trimmed')
  t.equal((await first).status, 200)
  const { status, json, headers } = await second
  t.equal(status, 410)
  t.match(json, { reason: 'trimmed', cursor })
  t.match(headers, { 'tidings-gap': 'trimmed', 'tidings-cursor': cursor, 'cache-control': 'no-store' })
  t.equal(app.tidings.bus.log.groups.watching, 0)
})

t.test('400 names the parameter', async (t) => {
  const { url } = await build(t)
  const rows: [string, string][] = [
    ['cursor=x', 'cursor'],
    ['channel=a%20b&cursor=now', 'channel'],
    ['limit=0&cursor=now', 'limit'],
    ['wait=', 'wait'],
    ['wait=-1', 'wait'],
    ['wait=1.5&cursor=now', 'wait'],
    ['wait=soon&cursor=now', 'wait'],
    ['wait=1&wait=1', 'wait'],
    ['format=x&cursor=now', 'format'],
  ]
  for (const [query, name] of rows) {
    const { status, json, headers } = await read(url, `?${query}`)
    t.equal(status, 400, query)
    t.match(json.message, `'${name}'`)
    t.equal(headers['cache-control'], 'no-store')
  }
})

t.test('HEAD does not hold', async (t) => {
  const { url } = await build(t)
  t.equal((await ask(`${url}/longpoll?cursor=now`, { method: 'HEAD' })).status, 404)
})

t.test("no timeout of the server's cuts a held poll", async (t) => {
  const { url } = await build(
    t,
    {},
    { server: { connectionTimeout: 100, handlerTimeout: 100, requestTimeout: 100 } },
  )
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const answer = await ask(`${url}/longpoll?cursor=now&wait=1`, { agent })
  t.equal(answer.status, 204)
})

t.test("a held poll puts the connection's timeout back", async (t) => {
  const { app, url } = await build(t, {}, { server: { connectionTimeout: 60_000 } })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const timeouts: (number | undefined)[] = []
  let socket: Socket | undefined
  app.server.prependListener('request', (request) => {
    socket = request.socket
    timeouts.push(socket.timeout)
  })
  const poll = ask(`${url}/longpoll?cursor=now`, { agent })
  await live(app, 1)
  t.equal(socket?.timeout, 0)
  await app.tidings.publish('default', 1)
  await poll
  await ask(`${url}/longpoll`, { agent })
  t.strictSame(timeouts, [60_000, 60_000])
})

t.test('a client that goes leaves nothing behind', async (t) => {
  const { app, url } = await build(t, { maxReaders: 1, stats: true })
  for (let i = 0; i < 3; i++) {
    const gone = new AbortController()
    const poll = ask(`${url}/longpoll?cursor=now`, { signal: gone.signal })
    await live(app, 1)
    gone.abort()
    await t.rejects(poll)
    await live(app, 0)
  }
  const { json } = await ask(`${url}/stats`)
  t.match(json.transports.longpoll, { open: 0, requests: 3, messages: 0 })
})

t.test('a client that comes back is one reader, whether it is held or on its way', async (t) => {
  const { app, url } = await build(t)
  const readers = () => ['a', 'b'].map((channel) => app.tidings.readers(channel))
  t.equal((await read(url, '?channel=a&channel=b')).status, 200)
  await app.tidings.publish('a', 0)
  let { cursor } = (await read(url, '?channel=a&channel=b&cursor=earliest')).json
  t.strictSame(readers(), [0, 0], 'it was not held yet')
  for (let i = 0; i < 3; i++) {
    const poll = read(url, `?channel=a&channel=b&cursor=${cursor}`)
    await live(app, 1)
    t.strictSame(readers(), [1, 1], 'held')
    await app.tidings.publish('a', i)
    cursor = (await poll).json.cursor
    t.strictSame(readers(), [1, 1], 'answered')
  }
  for (const i of [1, 2]) await app.tidings.publish('b', i)
  cursor = (await read(url, `?channel=a&channel=b&limit=1&cursor=${cursor}`)).json.cursor
  t.strictSame(readers(), [1, 1], 'there was news')
  cursor = (await read(url, `?channel=a&channel=b&cursor=${cursor}`)).json.cursor
  const nothing = await read(url, `?channel=a&channel=b&cursor=${cursor}&wait=0`)
  t.strictSame(readers(), [1, 1], 'there was none')
  const gone = new AbortController()
  const left = ask(`${url}/longpoll?channel=a&channel=b&cursor=${nothing.headers['tidings-cursor']}`, {
    signal: gone.signal,
  })
  await live(app, 1)
  gone.abort()
  await t.rejects(left)
  await live(app, 0)
  t.strictSame(readers(), [0, 0], 'it has left')

  const raw = read(url, '?channel=b&format=raw&cursor=now')
  await live(app, 1)
  await Promise.all(['x', 'y'].map((text) => app.tidings.publish('b', text)))
  const answer = await raw
  t.equal(answer.text, 'x')
  t.strictSame(readers(), [0, 1])
  const rest = await read(url, `?channel=b&format=raw&cursor=${answer.headers['tidings-cursor']}`)
  t.equal(rest.text, 'y')
  t.strictSame(readers(), [0, 1])
  const last = read(url, `?channel=b&format=raw&cursor=${rest.headers['tidings-cursor']}`)
  await live(app, 1)
  await app.tidings.end('b')
  await last
  t.strictSame(readers(), [0, 0], 'nothing more comes')
})

t.test('a thousand held polls get one body', async (t) => {
  const { app, url } = await build(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 1000 })
  t.teardown(() => agent.destroy())
  const polls = Array.from({ length: 1000 }, () => ask(`${url}/longpoll?cursor=now`, { agent }))
  await live(app, 1000)
  const messages = [await app.tidings.publish('default', { n: 1 })]
  const body = JSON.stringify({ cursor: messages[0]!.cursor, messages, more: false })
  const answers = await Promise.all(polls)
  t.ok(answers.every((answer) => answer.status === 200 && answer.text === body))
  t.equal(app.tidings.bus.log.groups.watching, 0)
})

t.test('over the limit of held readers: 503, but news are answered', async (t) => {
  const { app, url } = await build(t, { maxReaders: 1 })
  const { cursor } = await app.tidings.publish('default', 1)
  const poll = read(url, `?cursor=${cursor}`)
  await live(app, 1)
  const refused = await read(url, `?cursor=${cursor}`, { prefer: 'wait=5' })
  t.equal(refused.status, 503)
  t.match(refused.json, { statusCode: 503, code: 'TIDINGS_ERR_READERS', error: 'Service Unavailable' })
  const after = Number(refused.headers['retry-after'])
  t.ok(after >= 5 && after <= 15, `Retry-After: ${after}`)
  t.equal(refused.headers['cache-control'], 'no-store')
  t.equal((await read(url, '?cursor=earliest')).status, 200, 'there is news')
  t.equal((await read(url)).status, 200, 'a place')
  await app.tidings.publish('default', 2)
  t.strictSame(data(await poll), [2])
  const next = read(url, '?cursor=now')
  await live(app, 1)
  await app.tidings.publish('default', 3)
  t.strictSame(data(await next), [3], 'there is room again')
})

t.test('what a page of another origin may read', async (t) => {
  const exposed = 'Tidings-Cursor, Tidings-Gap, ETag, Retry-After, Preference-Applied'
  const name = 'access-control-expose-headers'
  const { app, url } = await build(
    t,
    { maxReaders: 1 },
    { before: (app) => app.register(fastifyCors, { origin: true, exposedHeaders: 'X-Mine' }) },
  )
  const origin = 'https://x.example'
  const poll = read(url, '?cursor=now', { origin })
  await live(app, 1)
  for (const query of ['', '?cursor=now', '?cursor=abcd.1', '?wait=x']) {
    const { headers } = await read(url, query, { origin })
    t.equal(headers['access-control-allow-origin'], origin, query)
    t.equal(headers[name], `X-Mine, ${exposed}`)
  }
  await app.tidings.publish('default', 1)
  t.equal((await poll).headers[name], `X-Mine, ${exposed}`)
})

t.test('pipelined polls are answered in their order', async (t) => {
  const { app, port } = await build(t)
  const raw = await openRaw(t, port)
  raw.socket.write('GET /longpoll?cursor=now HTTP/1.1\r\nHost: x\r\n\r\n')
  raw.socket.write(
    'GET /longpoll?channel=b&cursor=now HTTP/1.1\r\nHost: x\r\n\r\nGET /poll HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  )
  await live(app, 2)
  await app.tidings.publish('b', 'second')
  await app.tidings.publish('default', 'first')
  const text = await raw.until('no such mark')
  t.match(text, /"data":"first".*HTTP\/1\.1 200 OK.*"data":"second".*HTTP\/1\.1 200 OK.*"messages":\[\]/s)
})

t.test('a body on a GET is passed over', async (t) => {
  const { app, url } = await build(t)
  const sent = request(`${url}/longpoll?cursor=now`, { headers: { 'content-length': 4 } })
  const status = new Promise((resolve) => {
    sent.on('response', (response) => resolve(response.resume().statusCode))
  })
  sent.end('body')
  await live(app, 1)
  await app.tidings.publish('default', 1)
  t.equal(await status, 200)
})
