import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { Clients, Pace } from '../routes/http/client-limits.ts'
import { build, type Frame, openSocket, openStream, SocketClient, until } from './helper.ts'
import { ask } from './request.ts'

const of = (user: string) => ({ 'x-user': user })
const client = (request: FastifyRequest) => String(request.headers['x-user'])

t.test('a client holds so many readers, over all transports, whatever others hold', async (t) => {
  const { app, url } = await build(t, { echo: true, limits: { client, readersPerClient: 3 } })
  const { log } = app.tidings.bus
  const stream = await openStream(t, `${url}/sse`, of('a'))
  const socket = new SocketClient(`${url}/ws`, [], { headers: of('a') })
  t.teardown(() => socket.ws.terminate())
  await socket.opened
  const abort = new AbortController()
  const held = ask(`${url}/longpoll?cursor=now`, { headers: of('a'), signal: abort.signal })
  held.catch(() => {})
  await until(() => log.groups.watching === 3)

  const refused = await ask(`${url}/longpoll?cursor=now`, { headers: of('a') })
  t.match(refused, { status: 429, headers: { 'retry-after': /^\d+$/ } })
  t.match(refused.json, { code: 'TIDINGS_ERR_CLIENT_READERS' })
  const stopped = await ask(`${url}/sse`, { headers: of('a') })
  t.match(stopped, { status: 200, headers: { 'tidings-refused': 'limit' }, text: /^retry: \d+\n$/ })
  for (const path of ['/ws', '/echo']) {
    const denied = new SocketClient(`${url}${path}`, [], { headers: of('a') })
    await t.rejects(denied.opened, { message: /429/ }, path)
  }
  t.equal((await ask(`${url}/poll`, { headers: of('a') })).status, 200, 'a poll is not held')
  t.equal((await ask(`${url}/longpoll?cursor=now&wait=0`, { headers: of('a') })).status, 204)
  const other = await openStream(t, `${url}/sse`, of('b'))
  t.match(await other.next(), { event: 'ready' }, 'another client')

  abort.abort()
  await until(() => log.groups.watching === 3)
  const next = await openStream(t, `${url}/sse`, of('a'))
  t.match(await next.next(), { event: 'ready' }, 'there is room again')
  stream.close()
})

t.test('who a client is: the address, unless the app says so', async (t) => {
  const { app, url } = await build(t, { limits: { readersPerClient: 1 } })
  await openStream(t, `${url}/sse`)
  await until(() => app.tidings.bus.log.groups.watching === 1)
  t.equal((await ask(`${url}/longpoll?cursor=now`)).status, 429)
  const broken = await build(t, { limits: { readersPerClient: 1, client: (() => undefined) as never } })
  t.match((await ask(`${broken.url}/longpoll?cursor=now`)).json, {
    statusCode: 500,
    message: /limits\.client/,
  })
})

t.test('the counts of clients are bounded, and nothing is left of those that have gone', async (t) => {
  const clients = new Clients(2, client)
  const long = `${'x'.repeat(15_000)}`
  const request = (user: string) => ({ headers: of(user) }) as unknown as FastifyRequest
  const leaves = []
  for (let i = 0; i < 1000; i++) leaves.push(clients.enter(request(`${i}${long}`))!)
  leaves.push(clients.enter(request(`0${long}`))!)
  t.equal(clients.size, 1000)
  t.ok(clients.full(request(`0${long}`)))
  t.notOk(clients.full(request(`1${long}`)))
  for (const leave of leaves) leave()
  t.equal(clients.size, 0)
  t.equal(new Clients(Infinity, () => t.fail('asked') as never).enter(request('a')), undefined)
})

t.test('frames a second: an error frame, then 1008', async (t) => {
  const { app, url } = await build(t, { publish: true, echo: true, limits: { framesPerSecond: 5 } })
  const socket = await openSocket(t, `${url}/ws`)
  await socket.json()
  for (let i = 0; i < 50; i++) socket.send({ type: 'publish', data: i, channel: 'other' })
  t.strictSame(await socket.closed, { code: 1008, reason: 'too many frames' })
  const frames = socket.rest.map((frame) => JSON.parse(frame as string))
  t.match(
    frames.filter(({ type }) => type === 'error'),
    [{ type: 'error', code: 'TIDINGS_ERR_FRAMES', message: /too many frames/ }],
  )
  const { head } = app.tidings.bus.log
  t.ok(head >= 5 && head < 20, `${head} were taken`)

  const raw = await openSocket(t, `${url}/ws?channel=quiet&format=raw`)
  for (let i = 0; i < 50; i++) raw.send(String(i))
  t.match(await raw.closed, { code: 1008 })
  t.notOk(
    raw.rest.some((frame) => /error/.test(String(frame))),
    'the raw form has no error frame',
  )
  const echo = await openSocket(t, `${url}/echo`)
  for (let i = 0; i < 50; i++) echo.send(String(i))
  t.match(await echo.closed, { code: 1008 })
  const pinging = await openSocket(t, `${url}/ws`)
  for (let i = 0; i < 50; i++) pinging.ws.ping()
  t.match(await pinging.closed, { code: 1008 }, 'pings count')
})

t.test('a pace lets through what it says', async (t) => {
  const pace = new Pace(10)
  let taken = 0
  while (pace.take()) taken++
  t.ok(taken >= 10)
  t.notOk(pace.take(), 'once too often is for good')
  const slow = new Pace(1000)
  for (let i = 0; i < 3; i++) {
    for (let n = 0; n < 10; n++) t.ok(slow.take())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})

t.test('publishes over HTTP and through sockets are counted by one function', async (t) => {
  const counts: Record<string, number> = {}
  const { app, url } = await build(t, {
    publish: true,
    limits: {
      async publish(request, { action, channels }) {
        t.equal(action, 'publish')
        t.strictSame(channels, ['a'])
        const user = client(request)
        counts[user] = (counts[user] ?? 0) + 1
        if (user === 'thrower')
          throw Object.assign(new Error('slow down'), { statusCode: 429, headers: { 'x-why': 'y' } })
        return counts[user] <= 2
      },
    },
  })
  const post = (user: string) =>
    ask(`${url}/publish?channel=a`, { method: 'POST', headers: of(user), body: 'x' })
  t.equal((await post('u')).status, 201)
  const socket = new SocketClient(`${url}/ws`, [], { headers: of('u') })
  t.teardown(() => socket.ws.terminate())
  await socket.json()
  socket.send({ type: 'publish', channel: 'a', data: 1, ref: 1 })
  t.match(await socket.json(), { type: 'published', ref: 1 })
  socket.send({ type: 'publish', channel: 'a', data: 1, ref: 2 })
  t.match(await socket.json(), { type: 'error', ref: 2, code: 'TIDINGS_ERR_PUBLISHES' })
  const refused = await post('u')
  t.match(refused, { status: 429, headers: { 'retry-after': /^\d+$/ } })
  t.match(refused.json, { code: 'TIDINGS_ERR_PUBLISHES' })
  t.match(await post('thrower'), { status: 429, headers: { 'x-why': 'y' } })
  t.equal((await post('another')).status, 201)
  const raw = new SocketClient(`${url}/ws?channel=a&format=raw`, [], { headers: of('u') })
  await raw.opened
  raw.send('x')
  t.match(await raw.closed, { code: 1008 })
  t.strictSame(counts, { u: 5, thrower: 1, another: 1 })
  t.equal(app.tidings.bus.log.head, 3)
})

t.test('idempotency keys belong to a publisher', async (t) => {
  const { app, url } = await build(t, {
    authorize: (request: FastifyRequest) => {
      const user = request.headers['x-user']
      return user === undefined ? true : { publisher: String(user) }
    },
  })
  const publish = async (user: string | undefined, key: string, body: string) => {
    const headers = { 'idempotency-key': key, 'content-type': 'text/plain', ...(user && of(user)) }
    const { status } = await ask(`${url}/publish`, { method: 'POST', headers, body })
    return status
  }
  t.equal(await publish('a b', 'c', 'one'), 201)
  t.equal(await publish('a', 'b c', 'two'), 201)
  t.equal(await publish(undefined, 'c', 'three'), 201)
  t.equal(await publish(undefined, '3:a bc', 'four'), 201)
  t.equal(await publish('a b', 'c', 'one'), 200)
  t.equal(await publish('a b', 'c', 'other'), 422)
  const socket = new SocketClient(`${url}/ws?channel=`, [], { headers: of('a b') })
  t.teardown(() => socket.ws.terminate())
  const { cursor }: Frame = await socket.json()
  socket.send({ type: 'publish', data: 'one', key: 'c' })
  const first = cursor.replace(/4$/, '1')
  t.match(await socket.json(), { type: 'published', cursor: first }, 'the same over a frame')
  const own = await app.tidings.publish('default', 'one', { key: 'c', publisher: 'a b' })
  t.equal(own.cursor, first, "and by the program's own hand")
  t.equal(
    (await app.tidings.publish('default', 'one', { key: 'c', publisher: 'b' })).cursor,
    first.replace(/1$/, '5'),
  )
  await t.rejects(app.tidings.publish('a', 1, { publisher: '' }), { code: 'TIDINGS_ERR_PUBLISHER' })
})

t.test("a name of a client that fails is 500, and its text is no client's business", async (t) => {
  const lines: string[] = []
  const logger = { level: 'error', stream: { write: (line: string) => lines.push(line) } }
  for (const fail of [
    () => {
      throw new Error('secret')
    },
    async () => {
      throw new Error('secret')
    },
  ]) {
    let calls = 0
    const { url } = await build(
      t,
      {
        publish: true,
        limits: {
          readersPerClient: 5,
          // The second time: where it is asked again behind the head of a stream, nobody is left to be told.
          client: () => (calls++ % 2 === 0 ? 'a' : (fail as () => never)()),
        },
      },
      { server: { logger } as never },
    )
    const stream = await openStream(t, `${url}/sse`)
    t.match(await stream.next(), { event: 'ready' }, 'it is asked once')
    for (const path of ['/sse', '/longpoll?cursor=now']) {
      calls = 1
      const { status, text } = await ask(url + path)
      t.equal(status, 500, path)
      t.notMatch(text, /secret/)
    }
    calls = 1
    await t.rejects(new SocketClient(`${url}/ws`).opened, { message: /500/ })
  }
  t.equal(lines.length, 6, 'each is logged')
})
