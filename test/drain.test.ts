import { Agent } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import tidings from '../index.ts'
import { build, live, openSocket, openStream, post } from './helper.ts'
import { ask } from './request.ts'

/** Longer than any test waits. */
const HOUR = 3_600_000

t.test('readers go one after another, and get what is published until they do', async (t) => {
  const { app, url, port } = await build(t, { publish: true, drain: 3000 })
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const polls = Array.from({ length: 10 }, () => ask(`${url}/longpoll?channel=quiet&cursor=now`, { agent }))
  const streams = await Promise.all(Array.from({ length: 10 }, () => openStream(t, `${url}/sse`)))
  const sockets = await Promise.all(Array.from({ length: 10 }, () => openSocket(t, `${url}/ws`)))
  await live(app, 30)
  for (const stream of streams) await stream.next()
  for (const socket of sockets) await socket.json()

  const closed = app.close()
  const ends = [...polls, ...streams.map(({ ended }) => ended), ...sockets.map(({ closed }) => closed)]
  await Promise.any(ends)
  // A new connection is refused, so that a balancer leads it elsewhere.
  const refused = connect(port, '127.0.0.1')
  await new Promise((resolve) => refused.once('error', resolve))
  // Sockets publish, too.
  const { cursor } = await app.tidings.publish('default', 'late')
  const open = sockets.filter(({ ws }) => ws.readyState === ws.OPEN)
  t.ok(open.length > 0)
  for (const socket of open) t.match(await socket.json(), { cursor, data: 'late' })
  await closed

  for (const { status, headers } of await Promise.all(polls)) {
    t.equal(status, 204)
    t.equal(headers.connection, 'close')
  }
  for (const socket of sockets) t.equal((await socket.closed).code, 1001)
  let late = 0
  for (const stream of streams) {
    await stream.ended
    t.match(stream.rest.at(-1)?.retry, /^[123]\d{3}$/)
    late += stream.rest.filter(({ data }) => data?.includes('late')).length
  }
  t.ok(late > 0)
  t.equal(app.tidings.bus.log.groups.watching, 0)
})

t.test('a long poll that is sent away is not expected back', async (t) => {
  const { app, url } = await build(t, { drain: 1 })
  const { groups } = app.tidings.bus.log
  // Nobody is counted before somebody asks.
  t.equal(app.tidings.readers('quiet'), 0)
  const poll = ask(`${url}/longpoll?channel=quiet&cursor=now`)
  await live(app, 1)
  t.equal(app.tidings.readers('quiet'), 1)
  await app.close()
  t.equal((await poll).status, 204)
  t.equal(groups.readersOf('quiet'), 0)
})

t.test('where nobody reads, nothing is waited for', async (t) => {
  const { app, url } = await build(t, { publish: true, drain: HOUR })
  t.equal((await post(`${url}/publish`, 'x')).status, 201)
  await app.close()
})

t.test('the last reader that leaves by itself ends the wait', async (t) => {
  const { app, url } = await build(t, { drain: HOUR })
  const socket = await openSocket(t, `${url}/ws`)
  await socket.json()
  const closed = app.close()
  socket.ws.close()
  await closed
  t.equal((await socket.closed).code, 1005)
})

t.test('registrations of a server drain at the same time', async (t) => {
  const { app, url } = await build(
    t,
    { prefix: '/second', decorator: 'second', drain: 1 },
    { before: (app) => app.register(tidings, { drain: HOUR }) },
  )
  const first = await openSocket(t, `${url}/ws`)
  const second = await openSocket(t, `${url}/second/ws`)
  for (const socket of [first, second]) await socket.json()
  const closed = app.close()
  t.equal((await second.closed).code, 1001)
  t.equal(first.ws.readyState, first.ws.OPEN)
  first.ws.close()
  await closed
})

t.test('an app that never listened, and one that closes twice', async (t) => {
  const { app, url } = await build(t, { drain: 10 })
  const socket = await openSocket(t, `${url}/ws`)
  await Promise.all([app.close(), app.close()])
  t.equal((await socket.closed).code, 1001)
  const { default: Fastify } = await import('fastify')
  const silent = Fastify()
  await silent.register(tidings, { drain: HOUR })
  t.equal((await silent.inject('/poll')).statusCode, 200)
  await silent.close()
})
