import { FastifyOtelInstrumentation } from '@fastify/otel'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import Fastify, { type FastifyInstance } from 'fastify'
import fastifyMetrics from 'fastify-metrics'
import t from 'tap'
import tidings from '../index.ts'
import { listen, live, openSocket, openStream } from './helper.ts'
import { ask } from './request.ts'

/* What measures or logs the requests of an app can leave out those that are held. */

t.test('routes that hold are marked', async (t) => {
  const app = Fastify()
  const held: string[] = []
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.tidings?.held) held.push(url)
  })
  await app.register(tidings, { prefix: '/live', echo: true, publish: true, stats: true })
  t.strictSame(held.sort(), ['/live/echo', '/live/longpoll', '/live/sse', '/live/ws'])
  await app.close()
})

t.test('the hook of docs/observability.md', async (t) => {
  const lines: string[] = []
  const app = Fastify({
    logger: { level: 'info', stream: { write: (line) => lines.push(line) } },
  }) as FastifyInstance
  t.teardown(() => {
    app.server.closeAllConnections()
    return app.close()
  })
  const exporter = new InMemorySpanExporter()
  const otel = new FastifyOtelInstrumentation()
  otel.setTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))

  app.addHook('onRoute', (route) => {
    if (!route.config?.tidings?.held) return
    route.config = { ...route.config, otel: false, disableMetrics: true }
    route.logLevel = 'warn'
  })
  await app.register(otel.plugin())
  await app.register(fastifyMetrics.default, { endpoint: '/metrics', defaultMetrics: { enabled: false } })
  await app.register(tidings)

  const { url } = await listen(app)
  const held = ask(`${url}/longpoll?cursor=now`)
  const stream = await openStream(t, `${url}/sse`)
  await stream.next()
  const socket = await openSocket(t, `${url}/ws`)
  await socket.json()
  await live(app, 3)
  await app.tidings.publish('default', 'x')
  t.equal((await held).status, 200)
  t.equal((await ask(`${url}/poll?cursor=earliest`)).status, 200)
  stream.close()
  socket.ws.close()
  await live(app, 0)

  const paths = (all: readonly unknown[]) => [
    ...new Set(JSON.stringify(all).match(/\/(?:poll|longpoll|sse|ws)\b/g) ?? []),
  ]
  const text = (await ask(`${url}/metrics`)).text
  t.match(text, /http_request_duration_seconds/)
  t.strictSame(paths(text.split('\n')), ['/poll'], 'fastify-metrics')
  const spans = exporter.getFinishedSpans().map(({ name, attributes }) => [name, attributes])
  t.strictSame(paths(spans), ['/poll'], '@fastify/otel')
  t.strictSame(paths(lines), ['/poll'], 'pino')
})
