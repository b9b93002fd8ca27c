import t from 'tap'
import { memoryBus } from '../../index.ts'
import { live, openRaw, openSocket, post, SocketClient, until } from '../helper.ts'
import { laneId, openTap, start, Tap } from './helper.ts'

t.test('is refused where it asks for no lanes, or for strange ones', async (t) => {
  const { url, port } = await start(t)
  const nine = Array.from({ length: 9 }, () => `lane=${laneId()}`).join('&')
  for (const query of [
    '',
    'lane=',
    'lane=../../../../../..',
    `lane=${laneId()}x`,
    nine,
    'lane=a&channel=b',
  ]) {
    await t.rejects(new SocketClient(`${url}/demo/tap?${query}`).opened, { message: /400/ }, query)
  }
  await t.rejects(new SocketClient(`${url}/demo/tap?lane=${laneId()}&channel=%20`).opened, { message: /400/ })
  t.equal((await fetch(`${url}/demo/tap?lane=${laneId()}`)).status, 426)
  const { socket, until } = await openRaw(t, port)
  socket.write('GET /demo/tap?lane=a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  t.match(await until('never'), /^HTTP\/1\.1 426 /)
})

t.test('takes a bounded number of pages', async (t) => {
  const { url } = await start(t)
  for (let i = 0; i < 16; i++) await openTap(t, url, laneId())
  await t.rejects(new SocketClient(`${url}/demo/tap?lane=${laneId()}`).opened, { message: /503/ })
})

t.test('takes a bounded number of lanes', async (t) => {
  const { url } = await start(t)
  for (let i = 0; i < 8; i++) await openTap(t, url, ...Array.from({ length: 8 }, laneId))
  await t.rejects(new SocketClient(`${url}/demo/tap?lane=${laneId()}`).opened, { message: /503/ })
})

t.test('says what is wrong with a control, and goes on', async (t) => {
  const { url } = await start(t)
  const id = laneId()
  const tap = await openTap(t, url, id)
  for (const [control, message] of [
    ['{', 'the control is not JSON'],
    ['null', 'the control is not an object'],
    ['1', 'the control is not an object'],
    [{ type: 'reboot' }, 'the type is unknown'],
    [{ type: 'delay', ms: 2001 }, "'ms' must be a number from 0 to 2000"],
    [{ type: 'delay', ms: '5' }, "'ms' must be a number from 0 to 2000"],
    [{ type: 'rate', rate: -1, size: 1 }, "'rate' must be a number from 0 to 50"],
    [{ type: 'rate', rate: 1, size: 16_385 }, "'size' must be a number from 0 to 16384"],
    [{ type: 'crowd', transport: 'fax', count: 1 }, 'the transport is unknown'],
    [{ type: 'crowd', transport: 'ws', count: 201 }, "'count' must be a number from 0 to 200"],
    [{ type: 'cut', lane: laneId() }, 'this page has no such lane'],
    [{ type: 'restore' }, 'this page has no such lane'],
  ] as const) {
    tap.client.send(control)
    t.same(await tap.answer(), { type: 'error', message }, JSON.stringify(control))
  }
  t.match(await tap.control({ type: 'ping', id: 7 }), { type: 'pong', id: 7, now: Number })
})

t.test('a control that is too large, or binary, ends it', async (t) => {
  const { url } = await start(t)
  const large = await openTap(t, url, laneId())
  large.client.send('x'.repeat(5000))
  t.match(await large.client.closed, { code: 1009 })
  const binary = await openTap(t, url, laneId())
  binary.client.send(Buffer.from('x'))
  t.match(await binary.client.closed, { code: 1003 })
})

t.test('publishes at a rate, with a size', async (t) => {
  const { app, url } = await start(t)
  const tap = await openTap(t, url, laneId())
  const socket = await openSocket(t, `${url}/ws`)
  await socket.json()
  t.match(await tap.control({ type: 'rate', rate: 50, size: 100 }), { what: 'rate' })
  const { data } = await socket.json()
  t.match(data, /^#1 /)
  t.equal(data.length, 100)
  await tap.control({ type: 'rate', rate: 50, size: 0 })
  while ((await socket.json()).data !== '#');
  await tap.control({ type: 'rate', rate: 0, size: 0 })
  await app.tidings.publish('default', 'last')
  while ((await socket.json()).data !== 'last');
  t.equal(socket.rest.length, 0)
})

t.test('a page that is gone publishes nothing more, and nor does an app that closes', async (t) => {
  const { app, url } = await start(t)
  const tap = await openTap(t, url, laneId())
  await tap.control({ type: 'rate', rate: 50, size: 1 })
  tap.client.ws.terminate()
  const other = await openTap(t, url, laneId())
  await other.control({ type: 'rate', rate: 50, size: 1 })
  const { bus } = app.tidings
  await until(() => bus.log.head > 2)
  await bus.close()
  await t.rejects(bus.publish('default', { kind: 'text', json: '"x"', size: 1 }), 'the bus is closed')
  t.match(await other.control({ type: 'ping', id: 1 }), { type: 'pong' })
})

t.test('subscribers beside the server', async (t) => {
  const { app, url } = await start(t)
  const tap = await openTap(t, url, laneId())
  for (const transport of ['longpoll', 'sse', 'ws']) {
    t.match(await tap.control({ type: 'crowd', transport, count: 3 }), { what: 'crowd', transport, count: 3 })
  }
  await tap.control({ type: 'crowd', transport: 'poll', count: 2 })
  await live(app, 9)
  await tap.control({ type: 'crowd', transport: 'ws', count: 1.5 })
  await live(app, 7)
  tap.client.ws.close()
  await live(app, 0)
})

t.test('all pages together have a bounded number of them', async (t) => {
  const { url } = await start(t)
  const first = await openTap(t, url, laneId())
  const second = await openTap(t, url, laneId())
  await first.control({ type: 'crowd', transport: 'poll', count: 1 })
  for (const transport of ['poll', 'longpoll', 'sse']) {
    t.match(await second.control({ type: 'crowd', transport, count: 200 }), { type: 'done' })
  }
  const refused = await second.control({ type: 'crowd', transport: 'ws', count: 200 })
  t.match(refused, { type: 'error', message: /at most 800 / })
  await second.control({ type: 'crowd', transport: 'poll', count: 199 })
  t.match(await second.control({ type: 'crowd', transport: 'ws', count: 200 }), { type: 'done' })
})

t.test('the log starts over: all connections break off, and the readers are told of a gap', async (t) => {
  const { app, url } = await start(t)
  const id = laneId()
  const tap = await openTap(t, url, id)
  const { body } = await post(`${url}/publish`, 'before')
  const socket = await openSocket(t, `${url}/lane/${id}/ws`)
  const beside = await openSocket(t, `${url}/ws`)
  await live(app, 2)
  t.match(await tap.control({ type: 'restart' }), { what: 'restart' })
  t.match(await socket.closed, { code: 1006 })
  t.match(await beside.closed, { code: 1006 })
  const answer = await fetch(`${url}/lane/${id}/poll?cursor=${body.cursor}`)
  t.match({ status: answer.status, ...((await answer.json()) as object) }, { status: 410, reason: 'epoch' })
  t.match(await post(`${url}/publish`, 'after'), { status: 201, body: { cursor: /\.1$/ } })
})

t.test(
  'tells of what is published on the channel that is followed, also after the log has started over',
  async (t) => {
    const { app, url } = await start(t)
    const tap = await openTap(t, url, laneId())
    t.match(await tap.control({ type: 'follow', channel: ' ' }), { type: 'error' })
    for (const channel of ['one', 'two']) {
      t.match(await tap.control({ type: 'follow', channel }), { type: 'done' })
      for (const each of ['one', 'two']) {
        const { cursor, time } = await app.tidings.publish(each, 'news')
        if (each === channel) t.match(await tap.piece({ kind: 'published', cursor }), { at: time })
      }
    }
    await tap.control({ type: 'restart' })
    const { cursor } = await app.tidings.publish('two', 'news')
    await tap.piece({ kind: 'published', cursor })
    t.equal(tap.pieces.filter(({ kind }) => kind === 'published').length, 3, 'and of nothing else')
  },
)

t.test('a log of somebody else does not start over', async (t) => {
  const bus = memoryBus()
  t.teardown(() => bus.close())
  const { url } = await start(t, { tidings: { bus } })
  const tap = await openTap(t, url, laneId())
  t.match(await tap.control({ type: 'restart' }), { type: 'error', message: 'this log cannot be restarted' })
})

t.test('stands under the prefix, and on IPv6', async (t) => {
  const { app, url } = await start(t, { host: '::1', tidings: { prefix: '/live' } })
  const id = laneId()
  const tap = await openTap(t, `${url}/live`, id)
  t.equal((await fetch(`${url}/live/lane/${id}/poll`)).status, 200)
  t.match((await tap.piece({ kind: 'request' })).text, /^GET \/live\/poll HTTP/)
  await tap.control({ type: 'crowd', transport: 'sse', count: 1 })
  const socket = await openSocket(t, `${url}/live/lane/${id}/ws`)
  t.match(await socket.json(), { type: 'ready' })
  await live(app, 2)
})

t.test('a page that reads nothing is told how much was left out', async (t) => {
  const { app, url } = await start(t)
  const id = laneId()
  const client = new SocketClient(`${url}/demo/tap?lane=${id}`)
  t.teardown(() => client.ws.terminate())
  await client.opened
  const tap = new Tap(client)
  await tap.answer()
  const socket = await openSocket(t, `${url}/lane/${id}/ws`)
  await live(app, 1)
  client.ws.pause()
  const text = 'z'.repeat(5000)
  for (let i = 0; i < 3000; i++) {
    await app.tidings.publish('default', text)
    // One by one: together they would be few pieces.
    await socket.json()
  }
  client.ws.resume()
  await app.tidings.publish('default', 'last')
  while ((await socket.json()).data !== 'last');
  t.match(await tap.control({ type: 'ping', id: 1 }), { type: 'pong' })
  t.ok(tap.left > 0, `${tap.left} pieces were left out`)
  t.ok(tap.totals[id].down > 3000 * 5000, `the totals have them: ${tap.totals[id].down}`)
})

t.test('an app that closes does not wait for a page that does not answer', async (t) => {
  const { app, url } = await start(t)
  const tap = await openTap(t, url, laneId())
  tap.client.ws.pause()
  await app.close()
  tap.client.ws.resume()
  t.match(await tap.client.closed, { code: Number })
})
