import { request } from 'node:http'
import t from 'tap'
import { live, openRaw, openSocket, openStream, post, until } from '../helper.ts'
import { handshake } from '../raw-socket.ts'
import { laneId, openTap, start } from './helper.ts'

t.test('every transport works through a lane, and its bytes are told as they are', async (t) => {
  const { app, url } = await start(t)
  const id = laneId()
  const tap = await openTap(t, url, id)
  const lane = `${url}/lane/${id}`

  t.equal((await post(`${lane}/publish`, 'hello')).status, 201)
  const asked = await tap.piece({ kind: 'request' })
  t.match(asked, { direction: 'up', lane: id, exchange: 1, delay: 0 })
  t.match(asked.text, /^POST \/publish HTTP\/1\.1\r\nhost: /)
  t.match(await tap.piece({ kind: 'body', direction: 'up' }), { text: 'hello', size: 5 })
  t.match((await tap.piece({ kind: 'response' })).text, /^HTTP\/1\.1 201 Created\r\n/)
  t.match((await tap.piece({ kind: 'body', direction: 'down' })).text, /^\{"cursor":/)

  const poll = await fetch(`${lane}/poll?cursor=earliest`)
  t.match(await poll.json(), { messages: [{ data: 'hello' }] })
  const answer = await tap.piece({ kind: 'response' })
  t.match(answer, { exchange: 2, connection: 1 }, 'the connection is kept')
  t.equal(answer.size, answer.text.length)
  const { cursor } = JSON.parse((await tap.piece({ kind: 'body', direction: 'down' })).text)
  t.equal((await fetch(`${lane}/poll?cursor=${cursor}`)).status, 204)
  await tap.piece({ kind: 'response', exchange: 3 })
  t.match(tap.totals[id], { requests: 3, empty: 1 })
  await (await fetch(`${lane}/poll`)).text()
  await tap.piece({ kind: 'response', exchange: 4 })
  await tap.piece({ kind: 'body', exchange: 4 })
  t.match(tap.totals[id], { requests: 4, empty: 2 }, 'an answer without a message is an empty one')

  const held = fetch(`${lane}/longpoll?cursor=${cursor}`)
  const stream = await openStream(t, `${lane}/sse`)
  await stream.next()
  t.match((await tap.piece({ kind: 'chunk' })).text, /event: ready/)
  const socket = await openSocket(t, `${lane}/ws`, 'tidings')
  t.match(await socket.json(), { type: 'ready' })
  t.match((await tap.piece({ kind: 'upgrade', direction: 'up' })).text, /sec-websocket-key/i)
  t.match((await tap.piece({ kind: 'upgrade', direction: 'down' })).text, /^HTTP\/1\.1 101 /)
  t.match((await tap.piece({ kind: 'frame' })).text, /^\x81.*"ready"/)
  await live(app, 3)
  await app.tidings.publish('default', 'news')
  t.match(await (await held).json(), { messages: [{ data: 'news' }] })
  t.match(await stream.next(), { data: /news/ })
  t.match(await socket.json(), { data: 'news' })
  t.match((await tap.piece({ kind: 'chunk' })).text, /"news"/)
  t.match((await tap.piece({ kind: 'frame' })).text, /"news"/)
  socket.send({ type: 'ping' })
  t.match(await tap.piece({ kind: 'frame', direction: 'up' }), { size: 21 })
  socket.ws.close(1000)
  t.match(await socket.closed, { code: 1000 })
  await tap.piece({ kind: 'close' })

  const { transports } = (await (await fetch(`${url}/stats`)).json()) as {
    transports: Record<string, { requests: number; bytesIn: number; bytesOut: number }>
  }
  const all = Object.values(transports)
  const sum = (name: 'requests' | 'bytesIn' | 'bytesOut') => all.reduce((sum, each) => sum + each[name], 0)
  const published = tap.pieces.filter(({ connection, exchange }) => connection === 1 && exchange === 1)
  const of = (direction: string) =>
    published.filter((piece) => piece.direction === direction).reduce((sum, { size }) => sum + size, 0)
  t.equal(tap.totals[id].requests, sum('requests') + 1)
  t.equal(tap.totals[id].up, sum('bytesIn') + of('up'))
  t.equal(tap.totals[id].down, sum('bytesOut') + of('down'))
})

t.test('a request goes on as the browser sent it, and secrets are blanked in what is told', async (t) => {
  const { url, port } = await start(t)
  const id = laneId()
  const tap = await openTap(t, url, id)
  const { socket, until } = await openRaw(t, port)
  const head = 'HOST: localhost\r\nx-B: 1\r\nX-a: 2\r\ncookie: a=secret\r\nAuthorization: Bearer secret\r\n'
  socket.write(`GET /lane/${id}/poll?channel=a HTTP/1.1\r\n${head}Connection: close\r\n\r\n`)
  t.match(await until('never'), /^HTTP\/1\.1 200 OK\r\n.*connection: close/is)
  const { text, size } = await tap.piece({ kind: 'request' })
  const blanked = head.replace('a=secret', '********').replace('Bearer secret', '*'.repeat(13))
  t.equal(text, `GET /poll?channel=a HTTP/1.1\r\n${blanked}Connection: close\r\n\r\n`)
  t.equal(size, text.length)
})

t.test('the checks of the app hold', async (t) => {
  const { url, port } = await start(t, { tidings: { maxReaders: 1 } })
  const id = laneId()
  await openTap(t, url, id)
  const foreign = { origin: 'http://foreign.example' }
  t.equal((await post(`${url}/lane/${id}/publish`, 'hello', foreign)).status, 403)
  t.equal((await fetch(`${url}/lane/${id}/ws`)).status, 426)
  t.equal((await fetch(`${url}/lane/${id}/poll`, { method: 'HEAD' })).status, 404)
  for (const [path, host, origin, status] of [
    [`/lane/${id}/ws`, 'rebound.example', 'http://rebound.example', 421],
    [`/lane/${id}/ws`, 'localhost', 'http://foreign.example', 403],
    [`/demo/tap?lane=${id}`, 'rebound.example', 'http://rebound.example', 421],
    [`/demo/tap?lane=${id}`, 'localhost', 'http://foreign.example', 403],
  ]) {
    const { socket, until } = await openRaw(t, port)
    const upgrade = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==`
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\n${upgrade}\r\n\r\n`)
    t.match(await until('never'), new RegExp(`^HTTP/1\\.1 ${status} `), `${path} ${status}`)
  }
  await openStream(t, `${url}/lane/${id}/sse`)
  const { socket, until } = await openRaw(t, port)
  socket.write(`GET /lane/${id}/longpoll?cursor=now HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  t.match(await until('never'), /^HTTP\/1\.1 503 .*retry-after: /is)
})

t.test('only lanes that somebody watches are there', async (t) => {
  const { url, port } = await start(t)
  const id = laneId()
  t.equal((await fetch(`${url}/lane/${id}/poll`)).status, 404, 'not yet')
  const tap = await openTap(t, url, id)
  const other = await openTap(t, url, id)
  t.equal((await fetch(`${url}/lane/${id}/poll`)).status, 200)
  for (const path of [
    `/lane/${id}/stats`,
    `/lane/${id}/..%2fstats`,
    '/lane/short/poll',
    `/lane/${laneId()}/poll`,
  ]) {
    t.equal((await fetch(`${url}${path}`)).status, 404, path)
  }
  for (const path of ['/lane/short/ws', `/lane/${laneId()}/ws`]) {
    const { socket, until } = await openRaw(t, port)
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    )
    t.match(await until('never'), /^HTTP\/1\.1 404 /, path)
  }
  other.client.ws.close()
  await other.client.closed
  const held = fetch(`${url}/lane/${id}/longpoll?cursor=now`)
  await tap.piece({ kind: 'request', exchange: 2 })
  tap.client.ws.terminate()
  await t.rejects(held, 'nobody watches: it is cut off in mid-answer')
  t.equal((await fetch(`${url}/lane/${id}/poll`)).status, 404)
})

t.test('a lane takes no more than its share', async (t) => {
  const { app, url, port } = await start(t)
  const id = laneId()
  await openTap(t, url, id)
  const held = Array.from({ length: 8 }, () => openSocket(t, `${url}/lane/${id}/ws`))
  await Promise.all(held)
  t.teardown(() => app)
  await openSocket(t, `${url}/lane/${id}/ws`)
  const { socket, until } = await openRaw(t, port)
  socket.write(
    `GET /lane/${id}/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  )
  t.match(await until('never'), /^HTTP\/1\.1 503 /)
  t.equal((await fetch(`${url}/lane/${id}/poll`)).status, 503)
})

t.test('a lane that is cut lets nothing through until it is restored', async (t) => {
  const { app, url } = await start(t)
  const id = laneId()
  const tap = await openTap(t, url, id)
  const held = fetch(`${url}/lane/${id}/longpoll?cursor=now`)
  held.catch(() => {})
  const stream = await openStream(t, `${url}/lane/${id}/sse`)
  const socket = await openSocket(t, `${url}/lane/${id}/ws`)
  await live(app, 3)
  t.match(await tap.control({ type: 'cut', lane: id }), { type: 'done', what: 'cut', lane: id })
  await t.rejects(held)
  await stream.ended
  t.match(await socket.closed, { code: 1006 })
  await live(app, 0)
  await t.rejects(fetch(`${url}/lane/${id}/poll`))
  await t.rejects(openSocket(t, `${url}/lane/${id}/ws`))
  t.match(await tap.control({ type: 'restore', lane: id }), { what: 'restore' })
  t.equal((await fetch(`${url}/lane/${id}/poll`)).status, 200)
})

t.test('a browser that is gone takes its request to the app with it', async (t) => {
  const { app, url } = await start(t)
  const id = laneId()
  await openTap(t, url, id)
  const abort = new AbortController()
  const held = fetch(`${url}/lane/${id}/longpoll?cursor=now`, { signal: abort.signal })
  const stream = await openStream(t, `${url}/lane/${id}/sse`)
  const socket = await openSocket(t, `${url}/lane/${id}/ws`)
  await live(app, 3)
  abort.abort()
  await t.rejects(held)
  stream.close()
  socket.ws.terminate()
  await live(app, 0)
})

t.test('a slow reader slows the app down, and loses nothing', async (t) => {
  const { app, url, port } = await start(t, { tidings: { payloadLimit: 1e6 } })
  const id = laneId()
  await openTap(t, url, id)
  const text = 'x'.repeat(500_000)
  for (let i = 0; i < 20; i++) await app.tidings.publish('default', text)
  const { socket, until: read } = await openRaw(t, port)
  socket.pause()
  socket.write(`GET /lane/${id}/sse?cursor=earliest HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await until(() => socket.readableLength > 0 || socket.bytesRead > 0)
  t.ok(socket.bytesRead < 8e6)
  socket.resume()
  const all = await read('.20","channel"')
  t.equal(all.split(text.slice(0, 1000)).length > 20, true)
})

t.test('a large body goes up', async (t) => {
  const { url } = await start(t, { tidings: { payloadLimit: 3e6 } })
  const id = laneId()
  const tap = await openTap(t, url, id)
  t.equal((await tap.control({ type: 'delay', ms: 5 })).type, 'done')
  t.equal((await post(`${url}/lane/${id}/publish`, 'y'.repeat(2e6))).status, 201)
  t.match(await tap.piece({ kind: 'body', direction: 'up' }), { size: 2e6, text: 'y'.repeat(4096) })
})

t.test('requests in a pipeline are answered in their order', async (t) => {
  const { url, port } = await start(t)
  const id = laneId()
  await openTap(t, url, id)
  const { socket, until } = await openRaw(t, port)
  const get = (query: string) => `GET /lane/${id}/${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  const upgrade = `GET /lane/${id}/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`
  const ping = Buffer.from('898000000000', 'hex')
  socket.write(Buffer.concat([Buffer.from(get('poll?limit=x') + get('poll') + upgrade), ping]))
  t.match(await until('\x8a\x00'), /^HTTP\/1\.1 400 .*HTTP\/1\.1 200 .*HTTP\/1\.1 101 .*ready/s)
})

t.test('delay is added both ways, and order kept', async (t) => {
  const { url } = await start(t)
  const id = laneId()
  const tap = await openTap(t, url, id)
  t.match(await tap.control({ type: 'delay', ms: 60 }), { what: 'delay', ms: 60 })
  const began = performance.now()
  t.equal((await fetch(`${url}/lane/${id}/poll`)).status, 200)
  t.ok(performance.now() - began >= 119, 'there and back')
  t.match(await tap.piece({ kind: 'response' }), { delay: 60 })
  const socket = await openSocket(t, `${url}/lane/${id}/ws`)
  await socket.json()
  for (let i = 0; i < 5; i++) {
    if (i === 3) await tap.control({ type: 'delay', ms: 0 })
    socket.send({ type: 'publish', channel: 'default', data: i, ref: i })
  }
  const got = []
  while (got.length < 5) {
    const { type, data } = await socket.json()
    if (type === undefined) got.push(data)
  }
  t.same(got, [0, 1, 2, 3, 4])
})

t.test('the app closes within its second, whatever the lanes hold', async (t) => {
  const { app, url } = await start(t)
  const id = laneId()
  const tap = await openTap(t, url, id)
  const held = fetch(`${url}/lane/${id}/longpoll?cursor=now`)
  const stream = await openStream(t, `${url}/lane/${id}/sse`)
  const socket = await openSocket(t, `${url}/lane/${id}/ws`)
  await live(app, 3)
  await tap.control({ type: 'delay', ms: 2000 })
  await app.close()
  t.equal((await held).status, 204)
  await stream.ended
  t.match(await socket.closed, { code: 1001 })
  t.match(await tap.client.closed, { code: 1001 })
})

t.test('an app that is not there any more is an end of the connection', async (t) => {
  const { app, url, port } = await start(t)
  const id = laneId()
  await openTap(t, url, id)
  const { socket, until } = await openRaw(t, port)
  // In the turn of the event loop in which the request comes in, nobody listens any more.
  app.server.once('request', () => app.server.close())
  socket.write(`GET /lane/${id}/poll HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  t.equal(await until('never'), '')
  await new Promise((resolve) => request(url).once('error', resolve).end())
})

t.test('an upgrade to a lane passes the checks of the app first', async (t) => {
  const { url, port } = await start(t)
  const id = laneId()
  const tap = await openTap(t, url, id)
  const own = { host: `localhost:${port}` }
  for (const [headers, status] of [
    [{ host: 'foe.example' }, 421],
    [{ ...own, origin: 'https://foe.example' }, 403],
    [own, 101],
  ] as const) {
    const raw = await openRaw(t, port)
    raw.socket.write(handshake(`/lane/${id}/ws`, headers))
    t.match(await raw.until('\r\n\r\n'), new RegExp(`^HTTP/1\\.1 ${status} `), JSON.stringify(headers))
    raw.socket.destroy()
  }
  t.equal((await tap.piece({ kind: 'upgrade', direction: 'up' })).connection, 1, 'and is not sent on before')
})
