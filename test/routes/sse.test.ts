import { Agent } from 'node:http'
import type { Socket } from 'node:net'
import fastifyCors from '@fastify/cors'
import t from 'tap'
import { build, live, openRaw, openStream } from '../helper.ts'
import { ask } from '../request.ts'

t.test('the head, a retry, ready, then an event for each message', async (t) => {
  const { app, url } = await build(t)
  const kept = await app.tidings.publish('default', 'kept')
  const stream = await openStream(t, `${url}/sse`)
  t.equal(stream.response.status, 200)
  const { headers } = stream.response
  t.equal(headers.get('content-type'), 'text/event-stream')
  t.equal(headers.get('cache-control'), 'no-store, no-transform')
  t.equal(headers.get('x-accel-buffering'), 'no')
  t.notOk(headers.get('access-control-expose-headers'))
  const hello = await stream.next()
  t.match(hello.retry, /^[1-9][0-9]{3}$/)
  t.strictSame(hello, {
    event: 'ready',
    retry: hello.retry,
    id: kept.cursor,
    data: `{"cursor":"${kept.cursor}"}`,
  })
  for (const value of [{ a: [1] }, 'a\r\nb', null]) {
    const message = await app.tidings.publish('default', value)
    await app.tidings.publish('other', 'passes by')
    t.strictSame(await stream.next(), { id: message.cursor, data: JSON.stringify(message) })
  }
  const bytes = await app.tidings.publish('default', Buffer.from([1]))
  const { id, data } = await stream.next()
  t.equal(id, bytes.cursor)
  t.match(JSON.parse(data!), { data: 'AQ==', encoding: 'base64' })
})

t.test('where it starts', async (t) => {
  const { app, url } = await build(t)
  const first = await app.tidings.publish('default', 1)
  const second = await app.tidings.publish('default', 2)
  const zero = first.cursor.replace(/1$/, '0')
  const rows: [string, Record<string, string>, string, string[]][] = [
    ['?cursor=earliest', {}, zero, [first.cursor, second.cursor]],
    [`?cursor=${first.cursor}`, {}, first.cursor, [second.cursor]],
    ['?cursor=now', {}, second.cursor, []],
    ['', {}, second.cursor, []],
    ['', { 'last-event-id': first.cursor }, first.cursor, [second.cursor]],
    ['?cursor=now', { 'last-event-id': zero }, zero, [first.cursor, second.cursor]],
    ['?cursor=x', { 'last-event-id': first.cursor }, first.cursor, [second.cursor]],
    [`?cursor=${first.cursor}`, { 'last-event-id': '' }, first.cursor, [second.cursor]],
  ]
  for (const [query, headers, place, ids] of rows) {
    const stream = await openStream(t, `${url}/sse${query}`, headers)
    t.match(await stream.next(), { event: 'ready', id: place }, `${query} ${JSON.stringify(headers)}`)
    for (const id of ids) t.equal((await stream.next()).id, id)
    stream.close()
  }
})

t.test('several channels under one cursor', async (t) => {
  const { app, url } = await build(t)
  const stream = await openStream(t, `${url}/sse?channel=b&channel=a&cursor=earliest`)
  const sent = []
  for (const name of ['a', 'b', 'a']) sent.push((await app.tidings.publish(name, name)).cursor)
  await stream.next()
  for (const cursor of sent) t.equal((await stream.next()).id, cursor)
})

t.test('at a hole: ready with the place asked for, then the gap with its own', async (t) => {
  const { app, url } = await build(t, { retention: { messages: 1 } })
  const first = await app.tidings.publish('default', 1)
  const floor = await app.tidings.publish('default', 2)
  const last = await app.tidings.publish('default', 3)
  const ahead = last.cursor.replace(/3$/, '9')
  const rows: [string, string, string, string[]][] = [
    [first.cursor, 'trimmed', floor.cursor, [last.cursor]],
    ['abcd.7', 'epoch', floor.cursor, [last.cursor]],
    [ahead, 'ahead', last.cursor, []],
  ]
  for (const [cursor, reason, goOn, ids] of rows) {
    for (const [query, headers] of [
      [`?cursor=${cursor}`, {}],
      ['?format=raw', { 'last-event-id': cursor }],
    ] as const) {
      const stream = await openStream(t, `${url}/sse${query}`, headers)
      t.match(await stream.next(), { event: 'ready', id: cursor, data: `{"cursor":"${cursor}"}` })
      t.strictSame(await stream.next(), {
        event: 'gap',
        id: goOn,
        data: `{"reason":"${reason}","cursor":"${goOn}"}`,
      })
      for (const id of ids) t.equal((await stream.next()).id, id)
      stream.close()
    }
  }
})

t.test('a Last-Event-ID that is no cursor is a hole', async (t) => {
  const { app, url } = await build(t)
  const { cursor } = await app.tidings.publish('default', 1)
  const goOn = cursor.replace(/1$/, '0')
  for (const [query, headers] of [
    ['', { 'last-event-id': 'x' }],
    ['?cursor=now', { 'last-event-id': '"><script>' }],
    ['?lastEventId=x%0Aid:%20y', {}],
    [`?lastEventId=${cursor}`, { 'last-event-id': '12' }],
    [`?format=raw&cursor=${cursor}&lastEventId=0`, {}],
  ] as const) {
    const stream = await openStream(t, `${url}/sse${query}`, headers)
    t.equal(stream.response.status, 200)
    t.match(await stream.next(), { event: 'ready', id: 'none.0', data: '{"cursor":"none.0"}' })
    t.match(await stream.next(), { event: 'gap', id: goOn, data: `{"reason":"epoch","cursor":"${goOn}"}` })
    t.equal((await stream.next()).id, cursor, 'all that is kept')
    stream.close()
  }
  const stream = await openStream(t, `${url}/sse?cursor=now&lastEventId=${goOn}`)
  t.match(await stream.next(), { event: 'ready', id: goOn }, 'as a polyfill sends it')
  t.equal((await stream.next()).id, cursor)
})

t.test('the raw form', async (t) => {
  const { app, url } = await build(t)
  const rows: [unknown, string, string?][] = [
    ['one line', 'data: one line'],
    ['', 'data: '],
    ['a\r\nb\rc\nd', 'data: a\ndata: b\ndata: c\ndata: d'],
    ['\n', 'data: \ndata: '],
    ['end\r\n', 'data: end\ndata: '],
    [' event: x\n\nid: 5', 'data:  event: x\ndata: \ndata: id: 5'],
    ['\u2028\u0085\v', 'data: \u2028\u0085\v'],
    [{ a: 'b\nc' }, 'data: {"a":"b\\nc"}'],
    [Buffer.from([0, 10, 255]), 'event: bytes\ndata: AAr/'],
  ]
  const live = await openRawStream(t, url, '/sse?format=raw')
  let expected = ''
  for (const [payload, text] of rows) {
    const { cursor } = await app.tidings.publish('default', payload)
    expected += `${text}\nid: ${cursor}\n\n`
  }
  const kept = await openRawStream(t, url, '/sse?format=raw&cursor=earliest')
  for (const read of [live, kept]) {
    t.equal((await read(expected.slice(-40))).replace(/^.*?"}\n\n/s, ''), expected)
  }
})

/** The stream's text without the chunks' frames, up to a mark. */
async function openRawStream(t: Parameters<typeof openRaw>[0], url: string, path: string) {
  const response = await fetch(url + path)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  t.teardown(() => reader.cancel())
  let text = ''
  return async (mark: string) => {
    while (!text.includes(mark)) text += (await reader.read()).value
    return text
  }
}

t.test('400 names the parameter', async (t) => {
  const { url } = await build(t)
  const rows: [string, string, Record<string, string>?][] = [
    ['cursor=x', 'cursor'],
    ['cursor=x', 'cursor', { 'last-event-id': '' }],
    ['cursor=now&cursor=now', 'cursor'],
    ['channels=a', 'channel', { 'last-event-id': 'abcd.1' }],
    ['channel=', 'channel'],
    ['format=x', 'format'],
    ['format=raw&channel=a&channel=b', 'format'],
  ]
  for (const [query, name, headers] of rows) {
    const answer = await ask(`${url}/sse?${query}`, { headers })
    t.equal(answer.status, 400, query)
    t.match(answer.json.message, `'${name}'`)
    t.match(answer.headers['content-type'], /^application\/json/)
    t.equal(answer.headers['cache-control'], 'no-store')
  }
})

t.test('a comment as heartbeat', async (t) => {
  const { url } = await build(t, { heartbeat: { sse: 20 } })
  const stream = await openStream(t, `${url}/sse`)
  await stream.next()
  for (let i = 0; i < 3; i++) t.strictSame(await stream.next(), { comment: '' })
})

t.test('over the limit: 200, Tidings-Refused, a retry, and the end', async (t) => {
  const { app, url } = await build(t, { maxReaders: 1 })
  const first = await openStream(t, `${url}/sse`)
  await live(app, 1)
  const refused = await ask(`${url}/sse`)
  t.equal(refused.status, 200)
  t.match(refused.headers, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
    'tidings-refused': 'limit',
  })
  const retry = Number(/^retry: ([0-9]+)\n$/.exec(refused.text)?.[1])
  t.ok(retry >= 5000 && retry <= 15_000, refused.text)
  first.close()
  await live(app, 0)
  const next = await openStream(t, `${url}/sse`)
  t.notOk(next.response.headers.get('tidings-refused'), 'there is room again')
})

t.test('the headers that CORS has set go out', async (t) => {
  const { url } = await build(
    t,
    {},
    {
      before: (app) =>
        app.register(fastifyCors, { origin: true, credentials: true, exposedHeaders: ['X-Mine'] }),
    },
  )
  const origin = 'https://x.example'
  const { headers } = (await openStream(t, `${url}/sse`, { origin })).response
  t.equal(headers.get('access-control-allow-origin'), origin)
  t.equal(headers.get('access-control-allow-credentials'), 'true')
  t.match(headers.get('vary'), /Origin/)
  t.equal(
    headers.get('access-control-expose-headers'),
    'X-Mine, Tidings-Cursor, Tidings-Gap, ETag, Retry-After, Preference-Applied',
  )
})

t.test('HEAD neither holds nor streams', async (t) => {
  const { url } = await build(t)
  t.equal((await ask(`${url}/sse`, { method: 'HEAD' })).status, 404)
})

t.test('an HTTP/1.0 client gets the stream without chunks', async (t) => {
  const { app, port } = await build(t)
  const raw = await openRaw(t, port)
  raw.socket.write('GET /sse?format=raw HTTP/1.0\r\nHost: x\r\n\r\n')
  const head = await raw.until('"}\n\n')
  t.match(head, /\r\nConnection: close\r\n/)
  t.notMatch(head, /transfer-encoding/i)
  for (const text of ['one', 'two']) {
    const { cursor } = await app.tidings.publish('default', text)
    t.match(await raw.until(`${cursor}\n\n`), new RegExp(`\n\ndata: ${text}\nid: ${cursor}\n\n$`))
  }
})

t.test('a pipelined stream waits for the answer before it', async (t) => {
  const { app, port } = await build(t)
  const raw = await openRaw(t, port)
  raw.socket.write('GET /longpoll?channel=other&cursor=now HTTP/1.1\r\nHost: x\r\n\r\n')
  await live(app, 1)
  raw.socket.write('GET /sse?format=raw HTTP/1.1\r\nHost: x\r\n\r\n')
  await live(app, 2)
  const { cursor } = await app.tidings.publish('default', 'early')
  await app.tidings.publish('other', 'the poll')
  const later = await app.tidings.publish('default', 'later')
  const text = await raw.until(`${later.cursor}\n\n`)
  t.match(
    text,
    new RegExp(`"the poll".*event: ready\n.*data: early\nid: ${cursor}\n\n.*id: ${later.cursor}\n`, 's'),
  )
  // Each event is a chunk of its own, whoever made it.
  for (const chunk of text.slice(text.indexOf('\r\n\r\nevent')).matchAll(/\r\n([0-9a-f]+)\r\n(.*?)\r\n/gs)) {
    t.equal(Number.parseInt(chunk[1]!, 16), chunk[2]!.length)
  }
})

t.test('a client that goes leaves nothing behind', async (t) => {
  const { app, url } = await build(t, { stats: true, maxReaders: 1 })
  for (let i = 0; i < 3; i++) {
    const stream = await openStream(t, `${url}/sse`)
    await live(app, 1)
    stream.close()
    await live(app, 0)
  }
  const { json } = await ask(`${url}/stats`)
  t.match(json.transports.sse, { open: 0, requests: 3, messages: 0 })
})

t.test("the connection's timeout does not cut a stream", async (t) => {
  const { app, url } = await build(t, {}, { server: { connectionTimeout: 50 } })
  const stream = await openStream(t, `${url}/sse`)
  await stream.next()
  // A poll that outlasts the timeout many times over stands for the time that passes.
  t.equal((await ask(`${url}/longpoll?channel=none&cursor=now&wait=1`)).status, 204)
  const { cursor } = await app.tidings.publish('default', 'after')
  t.equal((await stream.next()).id, cursor)
})

t.test('a burst beyond one write reaches its reader in order', async (t) => {
  const { app, url } = await build(t)
  const stream = await openStream(t, `${url}/sse?format=raw`)
  await stream.next()
  const text = 'x'.repeat(1000)
  for (let i = 0; i < 3000; i++) app.tidings.publish('default', `${i} ${text}`)
  let ordered = true
  for (let i = 0; i < 3000; i++) ordered &&= (await stream.next()).data === `${i} ${text}`
  t.ok(ordered)
})

t.test('a reader that pauses reads on from the log', async (t) => {
  const { app, port } = await build(t)
  const raw = await openRaw(t, port)
  raw.socket.write('GET /sse HTTP/1.1\r\nHost: x\r\n\r\n')
  await raw.until('"}\n\n')
  raw.socket.pause()
  const text = 'x'.repeat(50_000)
  for (let i = 0; i < 400; i++) await app.tidings.publish('default', text)
  await live(app, 0)
  raw.socket.resume()
  const { cursor } = await app.tidings.publish('default', 'last')
  const all = await raw.until(`id: ${cursor}\n`)
  const ids = [...all.matchAll(/^id: .*\.([0-9]+)$/gm)].map((found) => Number(found[1]))
  t.strictSame(
    ids,
    Array.from({ length: 402 }, (_, i) => i),
  )
  await live(app, 1)
})

t.test('a reader that takes nothing is ended, heartbeats or not', async (t) => {
  const { app, port } = await build(t, { slowConsumer: { timeout: 300 }, heartbeat: { sse: 10 } })
  const connected = new Promise<Socket>((resolve) => app.server.once('connection', resolve))
  const raw = await openRaw(t, port)
  raw.socket.write('GET /sse?format=raw HTTP/1.1\r\nHost: x\r\n\r\n')
  await raw.until('"}\n\n')
  raw.socket.pause()
  const server = await connected
  const ended = new Promise((resolve) => server.once('close', resolve))
  const text = 'x'.repeat(50_000)
  for (let i = 0; i < 400; i++) await app.tidings.publish('default', text)
  await live(app, 0)
  await ended
  raw.socket.resume()
  t.notMatch(await raw.until('no such mark'), /\r\n0\r\n\r\n$/, 'cut, not finished')
})

t.test('heartbeats without chunks', async (t) => {
  const { port } = await build(t, { heartbeat: { sse: 20 } })
  const raw = await openRaw(t, port)
  raw.socket.write('GET /sse HTTP/1.0\r\nHost: x\r\n\r\n')
  t.match(await raw.until('\n:\n:\n'), /"}\n\n:\n:\n/)
})

t.test('a stream that ends leaves a connection that can be used again', async (t) => {
  const permission = new AbortController()
  const { app, url } = await build(t, { publish: true, authorize: () => permission.signal })
  const ends = {
    ended: () => app.tidings.end('a'),
    revoked: () => permission.abort(),
  }
  for (const [name, end] of Object.entries(ends)) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const connections: unknown[] = []
    agent.on('free', (socket) => connections.push(socket))
    for (let i = 0; i < 3; i++) {
      await app.tidings.reopen('a')
      const stream = ask(`${url}/sse?channel=a&cursor=now`, { agent })
      await live(app, 1)
      await end()
      t.equal((await stream).status, 200, name)
      const next = await ask(`${url}/nothing`, { agent })
      t.equal(next.status, 404, name)
      if (name === 'revoked') break
    }
    t.equal(new Set(connections).size, 1, name)
    agent.destroy()
  }
})
