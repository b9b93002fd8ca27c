import { gunzipSync } from 'node:zlib'
import fastifyCompress from '@fastify/compress'
import fastifyCors from '@fastify/cors'
import fastifySwagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import tidings, { memoryBus, tidings as named, type Tidings } from '../../index.ts'
import { build, type Frame, listen, live, openSocket, openStream } from '../helper.ts'
import { ask } from '../request.ts'

t.test("the app's hooks run, in their order", async (t) => {
  const calls: string[] = []
  const { url } = await build(
    t,
    { publish: true, authorize: () => calls.push('authorize') > 0 },
    {
      before: (app) => {
        for (const name of ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onSend'] as const) {
          app.addHook(name, async (_request: unknown, reply: Frame) => {
            calls.push(name)
            if (name === 'onSend') reply.header('x-app', 'yes')
          })
        }
      },
    },
  )
  const before = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'authorize']
  const rows: [string, string, number][] = [
    ['GET', '/poll', 200],
    ['GET', '/poll?cursor=now&format=raw', 204],
    ['GET', '/longpoll', 200],
    ['GET', '/longpoll?cursor=now&wait=0', 204],
    ['POST', '/publish', 201],
    ['GET', '/poll?cursor=abcd.1', 410],
  ]
  for (const [method, path, status] of rows) {
    const answer = await ask(url + path, { method })
    t.equal(answer.status, status, path)
    t.equal(answer.headers['x-app'], 'yes')
    t.strictSame(calls.splice(0), [...before, 'onSend'], path)
  }
  const stream = await openStream(t, `${url}/sse`)
  await stream.next()
  t.strictSame(calls.splice(0), before, 'onSend does not run for what was hijacked')
  await openSocket(t, `${url}/ws`)
  t.strictSame(calls.splice(0), before)
})

t.test('a hook that answers keeps the routes from running', async (t) => {
  const { app, url } = await build(
    t,
    { publish: true },
    {
      before: (app) => {
        app.addHook('onRequest', async (_request, reply) => reply.code(401).send({ mine: true }))
      },
    },
  )
  for (const [method, path] of [
    ['GET', '/poll'],
    ['GET', '/longpoll?cursor=now'],
    ['GET', '/sse'],
    ['POST', '/publish'],
  ] as const) {
    const { status, json, headers } = await ask(url + path, { method })
    t.equal(status, 401, path)
    t.strictSame(json, { mine: true })
    t.equal(headers['cache-control'], 'no-store')
  }
  t.equal(app.tidings.bus.log.head, 0)
})

t.test("the app's error handler applies", async (t) => {
  const { url } = await build(
    t,
    { publish: true, maxReaders: 0 },
    {
      before: (app) => {
        app.setErrorHandler((error: Frame, _request, reply) =>
          reply.code(error.statusCode).send({ handled: error.code }),
        )
      },
    },
  )
  const rows: [string, string, number, string][] = [
    ['GET', '/poll?cursor=x', 400, 'TIDINGS_ERR_CURSOR'],
    ['GET', '/longpoll?cursor=abcd.1', 410, 'TIDINGS_ERR_GAP'],
    ['GET', '/longpoll?cursor=now', 503, 'TIDINGS_ERR_READERS'],
    ['GET', '/sse?format=x', 400, 'TIDINGS_ERR_FORMAT'],
    ['POST', '/publish?channel=', 400, 'TIDINGS_ERR_CHANNEL'],
    ['GET', '/ws', 426, 'TIDINGS_ERR_UPGRADE'],
  ]
  for (const [method, path, status, code] of rows) {
    const answer = await ask(url + path, { method })
    t.equal(answer.status, status, path)
    t.equal(answer.json.handled, code)
    t.equal(answer.headers['cache-control'], 'no-store')
  }
})

t.test('@fastify/cors', async (t) => {
  const { url } = await build(
    t,
    { publish: true, origins: ['https://page.example'] },
    { before: (app) => app.register(fastifyCors, { origin: 'https://page.example' }) },
  )
  const origin = 'https://page.example'
  const preflight = await ask(`${url}/publish`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  })
  t.equal(preflight.status, 204)
  t.equal(preflight.headers['access-control-allow-origin'], origin)
  const posted = await ask(`${url}/publish`, { method: 'POST', headers: { origin }, body: 'x' })
  t.equal(posted.status, 201)
  for (const path of ['/poll', '/longpoll', '/poll?cursor=bad', '/poll?cursor=abcd.1']) {
    const { headers } = await ask(url + path, { headers: { origin } })
    t.equal(headers['access-control-allow-origin'], origin, path)
    t.match(headers['access-control-expose-headers'], /^Tidings-Cursor, /)
  }
})

t.test('@fastify/compress: polls are compressed, streams are not, and still stream', async (t) => {
  const { app, url } = await build(
    t,
    { maxReaders: 2 },
    { before: (app) => app.register(fastifyCompress, { threshold: 100 }) },
  )
  const headers = { 'accept-encoding': 'gzip' }
  const text = 'x'.repeat(5000)
  const stream = await openStream(t, `${url}/sse`, headers)
  t.notOk(stream.response.headers.get('content-encoding'))
  const { id } = await stream.next()
  const held = ask(`${url}/longpoll?cursor=${id}`, { headers })
  await live(app, 2)
  const refused = await ask(`${url}/sse`, { headers })
  t.notOk(refused.headers['content-encoding'])
  t.match(refused.text, /^retry: /)
  await app.tidings.publish('default', text)
  t.match(JSON.parse((await stream.next()).data!), { data: text })
  for (const answer of [await held, await ask(`${url}/poll?cursor=${id}`, { headers })]) {
    t.equal(answer.headers['content-encoding'], 'gzip')
    t.ok(answer.bytes.length < 1000)
    t.equal(JSON.parse(gunzipSync(answer.bytes).toString()).messages[0].data, text)
  }
  const { status } = await ask(`${url}/poll?cursor=now&format=raw`, { headers })
  t.equal(status, 204)
})

t.test('@fastify/swagger shows every route', async (t) => {
  const { app } = await build(
    t,
    { prefix: '/live', publish: true, stats: true, echo: true },
    { before: (app) => app.register(fastifySwagger, { openapi: {} }) },
  )
  await app.ready()
  const { paths } = (app as Frame).swagger()
  const names = ['echo', 'longpoll', 'poll', 'publish', 'sse', 'stats', 'ws']
  t.strictSame(
    Object.keys(paths).sort(),
    names.map((name) => `/live/${name}`),
  )
  for (const name of names) {
    const { summary } = paths[`/live/${name}`][name === 'publish' ? 'post' : 'get']
    t.ok(summary, `${name}: ${summary}`)
  }
  const parameters = (name: string) =>
    paths[`/live/${name}`].get.parameters.map((each: Frame) => each.name).sort()
  t.strictSame(parameters('poll'), ['channel', 'cursor', 'format', 'limit'])
  t.strictSame(parameters('longpoll'), ['channel', 'cursor', 'format', 'limit', 'wait'])
  t.ok(paths['/live/poll'].get.responses['410'])
})

t.test('prefix, transports, logLevel', async (t) => {
  const lines: Frame[] = []
  const logger = { level: 'info', stream: { write: (line: string) => lines.push(JSON.parse(line)) } }
  const { app, url } = await build(
    t,
    { prefix: '/live', transports: ['poll'], logLevel: 'silent' },
    { server: { logger } },
  )
  app.log.info('the app')
  t.equal((await ask(`${url}/live/poll`)).status, 200)
  for (const path of ['/poll', '/live/longpoll', '/live/sse', '/live/ws', '/live/echo', '/live/stats']) {
    t.equal((await ask(url + path)).status, 404, path)
  }
  t.notOk(lines.some((line) => line.req?.url === '/live/poll'))
  t.ok(lines.some((line) => line.req?.url === '/poll'))
})

t.test('no transport at all: the decorator alone', async (t) => {
  const { app, url } = await build(t, { transports: [] })
  t.equal((await ask(`${url}/poll`)).status, 404)
  t.equal((await app.tidings.publish('a', 1)).channel, 'a')
})

t.test('several registrations under different prefixes', async (t) => {
  const app = Fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  const shared = memoryBus()
  let closed = 0
  const { close } = shared
  shared.close = () => {
    closed++
    return close.call(shared)
  }
  await app.register(tidings, { prefix: '/a', bus: shared })
  await app.register(tidings, { prefix: '/b', bus: shared, publish: true, echo: true })
  await app.register(tidings, { prefix: '/c', decorator: 'others', stats: true })
  const { url } = await listen(app)
  const others = (app as Frame).others as Tidings
  t.equal(app.tidings.bus, shared)
  t.not(others.bus, shared)

  const sockets = await Promise.all(['/a', '/b', '/c'].map((prefix) => openSocket(t, `${url}${prefix}/ws`)))
  for (const socket of sockets) t.match(await socket.json(), { type: 'ready' })
  const posted = await ask(`${url}/b/publish`, { method: 'POST', body: 'hello' })
  t.equal(posted.status, 201)
  t.equal((await ask(`${url}/a/publish`, { method: 'POST', body: 'hello' })).status, 404)
  const read = async (prefix: string) => (await ask(`${url}${prefix}/poll?cursor=earliest`)).json.messages
  for (const prefix of ['/a', '/b']) t.match(await read(prefix), [{ data: 'hello' }])
  t.match(await sockets[0]!.json(), { data: 'hello' })
  t.match(await sockets[1]!.json(), { data: 'hello' })
  await others.publish('default', 'apart')
  t.match(await read('/c'), [{ data: 'apart' }])
  t.match(await sockets[2]!.json(), { data: 'apart' })
  t.equal((await ask(`${url}/a/echo`)).status, 404)
  t.equal((await ask(`${url}/b/echo`)).status, 426)

  for (const socket of sockets) socket.ws.terminate()
  await app.close()
  t.equal(closed, 1, 'the last closes the bus, once')
  await t.rejects(app.tidings.publish('a', 1), { code: 'TIDINGS_ERR_CLOSED' })
  await t.rejects(others.publish('a', 1), { code: 'TIDINGS_ERR_CLOSED' })
})

t.test('a bus that two apps share outlives the first', async (t) => {
  const bus = memoryBus()
  const one = await build(t, { bus })
  const two = await build(t, { bus })
  const loop = one.app.tidings.subscribe('a')
  const ended = loop.next()
  await one.app.close()
  t.strictSame(await ended, { done: true, value: undefined }, 'loops of the closed app end')
  await two.app.tidings.publish('a', 1)
  t.equal((await ask(`${two.url}/poll?channel=a&cursor=earliest`)).json.messages.length, 1)
  await two.app.close()
  await t.rejects(two.app.tidings.publish('a', 1), { code: 'TIDINGS_ERR_CLOSED' })
})

t.test('a decorator that is taken names the option', async (t) => {
  const fresh = () => {
    const app = Fastify() as unknown as FastifyInstance
    t.teardown(() => app.close())
    return app
  }
  const twice = fresh()
  await twice.register(tidings, { prefix: '/a' })
  await t.rejects(async () => void (await twice.register(tidings, { prefix: '/b' })), {
    code: 'TIDINGS_ERR_OPTION',
    message: /'decorator'/,
  })
  for (const decorator of ['server', 'log', 'mine']) {
    const app = fresh()
    app.decorate('mine', 1)
    await t.rejects(async () => void (await app.register(tidings, { decorator })), {
      code: 'TIDINGS_ERR_OPTION',
      message: new RegExp(`'decorator'.*'${decorator}' is taken`),
    })
  }
})

t.test('app.tidings', async (t) => {
  const { app } = await build(t)
  const { tidings } = app
  const first = await tidings.publish('a', { n: 1 }, { key: 'k' })
  t.match(first, { channel: 'a', data: { n: 1 }, cursor: /\.1$/ })
  t.strictSame(await tidings.publish('a', { n: 1 }, { key: 'k' }), first)
  t.equal(tidings.bus.log.head, 1)
  await t.rejects(tidings.publish('a', 1, { key: 'k' }), { code: 'TIDINGS_ERR_KEY_REUSED' })
  await t.rejects(tidings.publish('a', 1, { key: '' }), { code: 'TIDINGS_ERR_KEY' })
  await t.rejects(tidings.publish('a b', 1), { code: 'TIDINGS_ERR_CHANNEL' })
  await t.rejects(tidings.publish('a', undefined), { code: 'TIDINGS_ERR_DATA' })
  t.throws(() => tidings.subscribe('a', { cursor: 'x' }), { code: 'TIDINGS_ERR_CURSOR' })
})

t.test('by its name it is the same plugin', async (t) => {
  t.equal(named, tidings)
})
