import t from 'tap'
import { CACHE_BUSTER, exchangeOf, pushOf, upstreamBytes } from '../../../benchmarks/model/exchange.ts'
import { build, openRaw, openStream } from '../../helper.ts'
import { openRawSocket } from '../../raw-socket.ts'

const HEADERS = 'Host: 127.0.0.1\r\nAccept: */*\r\n'
const SHAPE = { payload: 200, channel: 'default'.length, wait: 1, headers: HEADERS.length }

t.test('sizes equal the traffic of a server', async (t) => {
  const { app, port } = await build(t)
  // Two-digit message numbers, as the model assumes.
  let cursor = ''
  for (let i = 0; i < 12; i++) cursor = (await app.tidings.publish('default', i)).cursor
  const ask = async (path: string, end: string) => {
    const { socket, until } = await openRaw(t, port)
    const request = `GET ${path} HTTP/1.1\r\n${HEADERS}\r\n`
    socket.write(request)
    return request.length + (await until(end)).length
  }
  for (const kind of ['poll', 'longpoll'] as const) {
    const { request, empty, full, message } = exchangeOf(kind, SHAPE)
    const path = (from: string) =>
      `/${kind}?channel=default&cursor=${from}${kind === 'longpoll' ? '&wait=1' : ''}&_=${'0'.repeat(CACHE_BUSTER)}`
    t.equal(request, `GET ${path(cursor)} HTTP/1.1\r\n${HEADERS}\r\n`.length)
    // wait=0 has the same length.
    t.equal(await ask(path(cursor).replace('wait=1', 'wait=0'), '\r\n\r\n'), empty, `${kind}, nothing`)
    const before = cursor
    cursor = (await app.tidings.publish('default', 'x'.repeat(200))).cursor
    t.equal(await ask(path(before), '"more":false}'), full + message, `${kind}, a message`)
  }
})

t.test('the size of a push, and its share of the heartbeats', async (t) => {
  const { app, url, port } = await build(t)
  for (let i = 0; i < 12; i++) await app.tidings.publish('default', i)
  const stream = await openStream(t, `${url}/sse?channel=default`)
  await stream.next()
  const raw = await openRawSocket(t, port, '/ws?channel=default')
  await raw.next()
  await app.tidings.publish('default', 'x'.repeat(200))
  const block = await stream.next()
  const text = `data: ${block.data}\nid: ${block.id}\n\n`
  const never = 1e300
  t.equal(pushOf('sse', SHAPE, never), text.length + text.length.toString(16).length + 4)
  const { header, payload } = await raw.next()
  t.equal(pushOf('ws', SHAPE, never), header + payload.length)
  t.equal(pushOf('ws', SHAPE, 1), header + payload.length + 8 / 25)
})

t.test('the size of a message from the client, and of its answer', async (t) => {
  const { app, port } = await build(t, { publish: true })
  for (let i = 0; i < 12; i++) await app.tidings.publish('default', i)
  const data = JSON.stringify('x'.repeat(200))
  const post = upstreamBytes('sse', SHAPE)
  const { socket, until } = await openRaw(t, port)
  const head = `POST /publish?channel=default HTTP/1.1\r\n${HEADERS}Content-Type: application/json\r\nContent-Length: ${data.length}\r\n\r\n`
  socket.write(head + data)
  t.equal(post.up, head.length + data.length)
  t.equal(post.down, (await until('}')).length)
  for (const way of ['poll', 'longpoll'] as const) t.same(upstreamBytes(way, SHAPE), post, way)

  const raw = await openRawSocket(t, port, '/ws?channel=')
  await raw.next()
  const text = `{"ref":1,"type":"publish","channel":"default","data":${data}}`
  raw.send(text)
  const frame = upstreamBytes('ws', SHAPE)
  t.equal(frame.up, 8 + text.length, 'a header of four bytes, and a mask of as many')
  const { header, payload } = await raw.next()
  t.equal(frame.down, header + payload.length)
})
