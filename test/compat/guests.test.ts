import fastifyAcceptsSerializer from '@fastify/accepts-serializer'
import fastifyCompress from '@fastify/compress'
import fastifyCors from '@fastify/cors'
import fastifyEtag from '@fastify/etag'
import fastifyHelmet from '@fastify/helmet'
import fastifyRateLimit from '@fastify/rate-limit'
import fastifyResponseValidation from '@fastify/response-validation'
import fastifySwagger from '@fastify/swagger'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import t, { type Test } from 'tap'
import { z } from 'zod'
import { type Built, build, type Frame, live, openSocket, openStream } from '../helper.ts'
import { ask } from '../request.ts'

/** Everything that our routes answer, beside whatever the app has brought. */
async function works(t: Test, { app, url }: Built): Promise<void> {
  const place = (await ask(`${url}/poll`)).json
  t.strictSame(place.messages, [], 'a poll is JSON once')
  const held = ask(`${url}/longpoll?cursor=${place.cursor}`)
  const stream = await openStream(t, `${url}/sse`)
  t.match(await stream.next(), { event: 'ready', data: `{"cursor":"${place.cursor}"}` })
  const socket = await openSocket(t, `${url}/ws`)
  t.match(await socket.json(), { type: 'ready' })
  await live(app, 3)

  const data = { text: 'é'.repeat(3000) }
  const published = await ask(`${url}/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'k' },
    body: JSON.stringify(data),
  })
  t.equal(published.status, 201)
  t.match(published.json, { cursor: /\.1$/, channel: 'default', time: Number })
  t.strictSame((await held).json.messages[0].data, data)
  t.strictSame(JSON.parse((await stream.next()).data!).data, data)
  t.strictSame((await socket.json()).data, data)
  t.strictSame((await ask(`${url}/poll?cursor=earliest`)).json.messages[0].data, data)

  const { cursor } = published.json
  const quiet = await ask(`${url}/poll?cursor=${cursor}`)
  t.strictSame([quiet.status, quiet.text, quiet.headers['tidings-cursor']], [204, '', cursor])
  t.equal((await ask(`${url}/longpoll?cursor=${cursor}&wait=0`)).status, 204)
  const tagged = await ask(`${url}/poll`, { headers: { 'if-none-match': `W/"${cursor}"` } })
  t.strictSame([tagged.status, tagged.headers['tidings-cursor']], [304, cursor])
  t.equal((await ask(`${url}/poll`, { method: 'HEAD' })).status, 200)
  t.equal((await ask(`${url}/sse`, { method: 'HEAD' })).status, 404)

  const raw = await ask(`${url}/poll?cursor=earliest&format=raw`)
  t.strictSame(raw.json, data)
  t.match(raw.headers, { 'x-content-type-options': 'nosniff', 'content-security-policy': 'sandbox' })
  await app.tidings.publish('text', 'plain "text"')
  const text = await ask(`${url}/poll?channel=text&cursor=earliest&format=raw`)
  t.strictSame([text.text, text.headers['content-type']], ['plain "text"', 'text/plain; charset=utf-8'])

  for (const path of ['/poll', '/longpoll']) {
    const gap = await ask(`${url}${path}?cursor=abcd.1`)
    const goOn = place.cursor
    t.equal(gap.status, 410)
    t.strictSame(gap.json, {
      statusCode: 410,
      code: 'TIDINGS_ERR_GAP',
      error: 'Gone',
      message: `The log no longer has every message after this cursor (epoch): continue from ${goOn}`,
      reason: 'epoch',
      cursor: goOn,
    })
    t.match(gap.headers, { 'tidings-gap': 'epoch', 'tidings-cursor': goOn, 'cache-control': 'no-store' })
  }
  t.match((await ask(`${url}/poll?limit=x`)).json, { statusCode: 400, message: /'limit'/ })
  t.match((await ask(`${url}/ws`)).json, { statusCode: 426 })
  t.match((await ask(`${url}/stats`)).json, { bus: { head: 2 }, transports: { poll: { requests: Number } } })

  await app.close()
  await stream.ended
  t.match(stream.rest.at(-1), { retry: /^[0-9]+$/ })
  t.equal((await socket.closed).code, 1001)
}

const refusing = () => {
  throw new Error('this compiler does not know that schema')
}
const twice = (payload: unknown) => JSON.stringify(JSON.stringify(payload))

interface Guest {
  server?: FastifyServerOptions
  before?: (app: FastifyInstance) => unknown
}

const GUESTS: Record<string, Guest> = {
  nothing: {},
  'fastify-type-provider-zod': {
    async before(app) {
      app.setValidatorCompiler(validatorCompiler)
      app.setSerializerCompiler(serializerCompiler)
    },
  },
  'compilers that refuse': {
    before(app) {
      app.setValidatorCompiler(refusing)
      app.setSerializerCompiler(refusing)
    },
  },
  'a schema controller that refuses': {
    before(app) {
      app.setSchemaController({
        compilersFactory: {
          buildValidator: () => refusing as never,
          buildSerializer: () => refusing as never,
        },
      })
    },
  },
  "a serializer for the app's replies": { before: (app) => app.setReplySerializer(twice) },
  'a serializer for each reply': {
    before: (app) => app.addHook('preHandler', async (_request, reply) => void reply.serializer(twice)),
  },
  '@fastify/accepts-serializer': {
    before: (app) =>
      app.register(fastifyAcceptsSerializer, {
        default: 'application/yaml',
        serializers: [{ regex: /^application\/yaml$/, serializer: twice }],
      } as never),
  },
  'hooks on what is sent': {
    before(app) {
      app.addHook('preSerialization', async (_request, _reply, payload) => ({ wrapped: payload }))
      app.addHook('onSend', async (_request, _reply, payload) => payload)
    },
  },
  'response schemas for every route': {
    before: (app) =>
      app.addHook('onRoute', (route) => {
        route.schema = {
          ...route.schema,
          response: { '2xx': { type: 'object', properties: {} }, ...(route.schema?.response as object) },
        }
      }),
  },
  '@fastify/response-validation': { before: (app) => app.register(fastifyResponseValidation) },
  '@fastify/swagger': { before: (app) => app.register(fastifySwagger, { openapi: {} }) },
  '@fastify/compress': { before: (app) => app.register(fastifyCompress, { threshold: 1 }) },
  '@fastify/etag': { before: (app) => app.register(fastifyEtag) },
  '@fastify/helmet': { before: (app) => app.register(fastifyHelmet) },
  '@fastify/rate-limit': { before: (app) => app.register(fastifyRateLimit, { max: 1000 }) },
  '@fastify/cors': { before: (app) => app.register(fastifyCors, { origin: true }) },
  'formatters of errors': {
    before(app) {
      app.setSchemaErrorFormatter(() => new Error('formatted'))
      app.setErrorHandler((error) => error)
      app.setNotFoundHandler((_request, reply) => reply.code(404).send({ mine: true }))
    },
  },
  'options of ajv': {
    server: { ajv: { customOptions: { strict: true, removeAdditional: 'all', coerceTypes: 'array' } } },
  },
  'options of the server': {
    server: {
      return503OnClosing: false,
      exposeHeadRoutes: true,
      requestIdHeader: 'x-request-id',
      handlerTimeout: 60_000,
      connectionTimeout: 60_000,
      bodyLimit: 10,
      onProtoPoisoning: 'remove',
      routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, caseSensitive: false },
    },
  },
  'a log': { server: { logger: { level: 'trace', stream: { write: () => {} } } } },
}

for (const [name, { server = {}, before }] of Object.entries(GUESTS)) {
  t.test(`beside ${name}`, async (t) => {
    const options = { publish: true, stats: true, echo: true }
    await works(t, await build(t, options, { server, before: async (app) => void (await before?.(app)) }))
  })
}

t.test('what an error handler of the app makes of a 410', async (t) => {
  const { url } = await build(
    t,
    {},
    {
      before(app) {
        app.setSerializerCompiler(refusing)
        app.setErrorHandler((error: Frame, _request, reply) =>
          reply.code(error.statusCode).send({ problem: error.reason, at: error.cursor }),
        )
      },
    },
  )
  t.match((await ask(`${url}/poll?cursor=abcd.1`)).json, { problem: 'epoch', at: /\.0$/ })
})

t.test('a refused stream is no JSON, whatever serializes replies', async (t) => {
  const { url } = await build(
    t,
    { maxReaders: 0 },
    { before: GUESTS['a serializer for each reply']!.before! },
  )
  t.match((await ask(`${url}/sse`)).text, /^retry: [0-9]+\n$/)
})

t.test("an app's limit on how long a handler takes cuts no reader", async (t) => {
  const { app, url } = await build(t, {}, { server: { handlerTimeout: 100 } })
  const stream = await openStream(t, `${url}/sse`)
  const socket = await openSocket(t, `${url}/ws`)
  await stream.next()
  await socket.json()
  // A poll that outlasts the limit many times over.
  t.equal((await ask(`${url}/longpoll?channel=none&cursor=now&wait=1`)).status, 204)
  await app.tidings.publish('default', 'after')
  t.match(JSON.parse((await stream.next()).data!), { data: 'after' })
  t.match(await socket.json(), { data: 'after' })
})

t.test('zod beside @fastify/swagger: its transform is for the routes of the app', async (t) => {
  const { app } = await build(
    t,
    { prefix: '/live', publish: true },
    {
      before: async (app) => {
        app.setValidatorCompiler(validatorCompiler)
        app.setSerializerCompiler(serializerCompiler)
        await app.register(fastifySwagger, {
          openapi: {},
          transform: (route) =>
            (route.url.startsWith('/live/') ? route : jsonSchemaTransform(route)) as never,
        })
        app.get('/zod', { schema: { querystring: z.object({ a: z.string() }) } }, () => 'x')
      },
    },
  )
  await app.ready()
  const { paths } = (app as Frame).swagger()
  t.match(paths['/zod'].get.parameters, [{ name: 'a' }])
  t.ok(paths['/live/poll'].get.responses['410'])
})
