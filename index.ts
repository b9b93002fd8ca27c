import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { setUpBus, type Tidings } from './plugins/bus.ts'
import { storeNothing } from './plugins/no-store.ts'
import { answerUpgradesPlainly, setUpSockets } from './plugins/websocket.ts'
import { echo } from './routes/echo/route.ts'
import { commonHeaders } from './routes/http/answer.ts'
import { Clients } from './routes/http/client-limits.ts'
import type { Context } from './routes/http/context.ts'
import { drainFirst } from './routes/http/drain.ts'
import { Figures } from './routes/http/figures.ts'
import { Guard } from './routes/http/guard.ts'
import { HeartbeatTimer } from './routes/http/heartbeat-timer.ts'
import { Meter } from './routes/http/meter.ts'
import { OpenConnections } from './routes/http/open-connections.ts'
import type { Options } from './routes/http/options.ts'
import { settle } from './routes/http/settings.ts'
import { Unread } from './routes/http/unread.ts'
import { publish } from './routes/publish/route.ts'
import { stats } from './routes/stats/route.ts'
import { addTransports, TRANSPORTS, type Transport } from './routes/transports.ts'

export type { Accepted, Bus, Host, Occupancy } from './bus/bus.ts'
export { GapError, type GapReason } from './bus/errors.ts'
export { type MemoryBus, type MemoryBusOptions, memoryBus } from './bus/memory.ts'
export type { Message } from './bus/message.ts'
export type { Page, ReadOptions } from './bus/page.ts'
export type { Mark, Payload } from './bus/payload.ts'
export type { Retention, Rule } from './bus/retention.ts'
export type { Ended, SubscribeOptions } from './bus/subscribe.ts'
export type { PublishOptions, Tidings } from './plugins/bus.ts'
export { type WebsocketOptions, websocketOptions } from './plugins/websocket-options.ts'
export type { Stats } from './routes/http/figures.ts'
export type { Authorize, Limits, Permission, Question } from './routes/http/options.ts'
export type { Transport } from './routes/transports.ts'
export type * from './types/channels.ts'

/** The options of the plugin. */
export type TidingsOptions = Options<Transport>

declare module 'fastify' {
  interface FastifyInstance {
    /** The message log of fastify-tidings. The option `decorator` changes its name. */
    tidings: Tidings
  }
}

/**
 * Serves one message log over `/poll`, `/longpoll`, `/sse` and `/ws`, and decorates the app with it. The routes have a
 * scope of their own under `prefix`. The app's hooks, error handler and CORS apply to them.
 * @throws TIDINGS_ERR_OPTION, which names the option
 */
async function tidings(app: FastifyInstance, options: TidingsOptions): Promise<void> {
  const settings = settle(options, TRANSPORTS)
  const { bus, limits } = settings
  const meter = settings.stats ? new Meter(TRANSPORTS, settings.path) : undefined
  const figures = new Figures(bus, meter)
  const context: Context = {
    bus,
    settings,
    guard: new Guard(settings.authorize, settings.maxReaders, limits.publish),
    readers: new OpenConnections(settings.maxReaders, new Clients(limits.readersPerClient, limits.client)),
    unread: new Unread(settings.slowConsumer, settings.path),
    heartbeat: {
      sse: new HeartbeatTimer(settings.heartbeat.sse),
      ws: new HeartbeatTimer(settings.heartbeat.ws),
    },
    meter,
    figures,
  }
  await setUpBus(app, bus, settings.decorator, figures)
  storeNothing(app)
  const flush = () => bus.log.groups.flush()
  drainFirst(app, settings.drain, (window) => context.readers.drain(window, flush))
  app.addHook('preClose', (done) => {
    context.guard.close()
    context.readers.close(flush)
    done()
  })
  app.addHook('onClose', async () => {
    meter?.close()
    figures.close()
    context.unread.close()
  })

  const registerSockets = async (scope: FastifyInstance) => {
    const make = await setUpSockets(scope, settings.payloadLimit)
    addTransports(scope, context, make)
    if (settings.echo) echo(scope, context, make)
  }
  const registerRoutes = async (scope: FastifyInstance) => {
    scope.addHook('onSend', commonHeaders(context.readers))
    scope.addHook('onSend', context.unread.watchAnswer)
    answerUpgradesPlainly(scope, settings.slowConsumer.timeout)
    if (settings.publish) publish(scope, context)
    addTransports(scope, context)
    if (settings.stats) stats(scope, context)
    // A scope of their own: @fastify/websocket adds hooks to every request of its scope.
    await scope.register(registerSockets)
  }
  const { prefix, logLevel } = settings
  await app.register(registerRoutes, { prefix, ...(logLevel && { logLevel }) })
}

export default fp(tidings, { fastify: '5.x', name: 'fastify-tidings' })
export { tidings }
