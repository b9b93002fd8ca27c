import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import { build, live, openSocket, openStream, post, until } from './helper.ts'
import { ask } from './request.ts'

/** What is published on the diagnostics channels while the test runs. */
function listen(t: Test): { take(): unknown[] } {
  const heard: unknown[] = []
  const open = new Set<unknown>()
  for (const name of ['publish', 'reader.open', 'reader.close', 'gap', 'refused']) {
    const listener = (message: unknown) => {
      const { request, time, size, reader, ...members } = message as Record<string, unknown>
      if (name === 'publish') t.ok(Number(time) > 0 && Number(size) > 0)
      if (name === 'reader.open' || name === 'refused') t.type((request as { url: string }).url, 'string')
      // Each closes once that has opened, and no other.
      if (name === 'reader.open') open.add(reader)
      if (name === 'reader.close') t.ok(open.delete(reader))
      heard.push([name, members])
    }
    subscribe(`tidings.${name}`, listener)
    t.teardown(() => unsubscribe(`tidings.${name}`, listener))
  }
  return { take: () => heard.splice(0) }
}

t.test('what is published', async (t) => {
  const { app, url } = await build(t, { publish: true })
  const heard = listen(t)
  const { cursor } = await app.tidings.publish('a', 1)
  const { body } = await post(`${url}/publish?channel=b&end`, 'x')
  t.same(heard.take(), [
    ['publish', { cursor, channel: 'a', end: false }],
    ['publish', { cursor: body.cursor, channel: 'b', end: true }],
  ])
})

t.test('readers that come and go, and why', async (t) => {
  const { app, url } = await build(t, { slowConsumer: { timeout: 50 } })
  const heard = listen(t)
  const opened = (transport: string) => ['reader.open', { transport }]
  const closed = (transport: string, reason: string) => ['reader.close', { transport, reason }]

  const held = ask(`${url}/longpoll?channel=polled&cursor=now`)
  await live(app, 1)
  t.equal(app.tidings.readers('polled'), 1)
  const { readers, at } = await app.tidings.occupancy('polled')
  t.equal(readers, 1)
  t.ok(at <= Date.now() && at > Date.now() - 60_000)
  const { cursor } = await app.tidings.publish('polled', 1)
  await held
  t.same(heard.take(), [
    opened('longpoll'),
    ['publish', { cursor, channel: 'polled', end: false }],
    closed('longpoll', 'answered'),
  ])

  const stream = await openStream(t, `${url}/sse?channel=a&channel=b`)
  const socket = await openSocket(t, `${url}/ws?channel=b`)
  await live(app, 2)
  t.same([app.tidings.readers('a'), app.tidings.readers('b'), app.tidings.readers('c')], [1, 2, 0])
  stream.close()
  socket.ws.close()
  await live(app, 0)
  t.same(
    heard.take().sort(),
    [opened('sse'), opened('ws'), closed('sse', 'client'), closed('ws', 'client')].sort(),
  )
  t.throws(() => app.tidings.readers('no name'), { code: 'TIDINGS_ERR_CHANNEL' })
  await t.rejects(app.tidings.occupancy('no name'), { code: 'TIDINGS_ERR_CHANNEL' } as never)

  const ending = await openStream(t, `${url}/sse?channel=e`)
  const raw = await openSocket(t, `${url}/ws?channel=e&format=raw`)
  await live(app, 2)
  heard.take()
  await app.tidings.end('e')
  await Promise.all([ending.ended, raw.closed])
  t.same(heard.take().slice(1).sort(), [closed('sse', 'ended'), closed('ws', 'ended')].sort())
  const poll = ask(`${url}/longpoll?channel=a&cursor=now`)
  await live(app, 1)
  await Promise.all([app.close(), poll])
  t.same(heard.take(), [opened('longpoll'), closed('longpoll', 'closing')])
})

t.test('a batch that live readers have got', async (t) => {
  const { app, url } = await build(t)
  const delivered: { channels: string[]; delayMs: number }[] = []
  const listener = (message: unknown) => delivered.push(message as (typeof delivered)[0])
  const socket = await openSocket(t, `${url}/ws?channel=a&channel=b`)
  await socket.json()
  await live(app, 1)
  await app.tidings.publish('a', 0)
  await socket.json()
  subscribe('tidings.deliver', listener)
  t.teardown(() => unsubscribe('tidings.deliver', listener))
  const began = performance.now()
  await Promise.all([app.tidings.publish('a', 1), app.tidings.publish('b', 2)])
  await socket.json()
  await socket.json()
  await app.tidings.publish('c', 'nobody reads it')
  t.strictSame(
    delivered.map(({ channels }) => channels),
    [['a', 'b']],
  )
  t.ok(delivered[0]!.delayMs > 0 && delivered[0]!.delayMs < performance.now() - began)
})

t.test('gaps and refusals', async (t) => {
  const { app, url } = await build(t, {
    retention: { messages: 1 },
    maxReaders: 1,
    authorize: (_, { channels }) => !channels.includes('secret'),
  })
  const heard = listen(t)
  for (const data of [1, 2, 3]) await app.tidings.publish('a', data)
  const { log } = app.tidings.bus
  heard.take()
  const query = `channel=a&cursor=${log.cursor(1)}`
  const told = (transport: string) => ['gap', { transport, reason: 'trimmed', cursor: log.cursor(2) }]
  for (const path of ['poll', 'longpoll']) {
    t.equal((await ask(`${url}/${path}?${query}`)).status, 410)
    t.same(heard.take(), [told(path)])
  }
  const stream = await openStream(t, `${url}/sse?${query}`)
  await stream.next()
  await stream.next()
  t.same(heard.take(), [['reader.open', { transport: 'sse' }], told('sse')])
  t.equal((await ask(`${url}/longpoll?channel=a&cursor=now`)).status, 503)
  t.same(heard.take(), [['refused', { code: 'TIDINGS_ERR_READERS' }]])
  t.equal((await ask(`${url}/poll?channel=secret`)).status, 403)
  t.same(heard.take(), [['refused', { code: 'TIDINGS_ERR_FORBIDDEN' }]])
  stream.close()
  await until(() => log.groups.watching === 0)
  const socket = await openSocket(t, `${url}/ws?${query}&format=raw`)
  await socket.closed
  t.match(heard.take().slice(1), [
    ['reader.open', { transport: 'ws' }],
    told('ws'),
    ['reader.close', { transport: 'ws', reason: 'gap' }],
  ])
})

t.test('stats are those of the route', async (t) => {
  const { app, url } = await build(t, { stats: true })
  await app.tidings.publish('a', 1)
  await ask(`${url}/poll?channel=a&cursor=earliest`)
  const { json } = await ask(`${url}/stats`)
  const { bus, transports, process } = app.tidings.stats()
  t.same(bus, json.bus)
  t.match(transports.poll, { requests: 1, messages: 1, open: 0 })
  t.same(Object.keys(process), Object.keys(json.process))
  const plain = await build(t)
  t.match(plain.app.tidings.stats(), { bus: { head: 0 }, transports: {} })
})
