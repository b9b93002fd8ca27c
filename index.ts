import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { setUpBus, type Tidings } from './plugins/bus.ts'
import { storeNothing } from './plugins/no-store.ts'
import { page } from './plugins/page.ts'
import { answerUpgradesPlainly, setUpSockets } from './plugins/websocket.ts'
import { echo } from './routes/echo.ts'
import { longpoll } from './routes/longpoll.ts'
import { poll } from './routes/poll.ts'
import { publish } from './routes/publish.ts'
import { sse } from './routes/sse.ts'
import { stats } from './routes/stats.ts'
import { ws } from './routes/ws.ts'
import { commonHeaders } from './wire/answer.ts'
import { Guard } from './wire/guard.ts'
import { Clients } from './wire/limits.ts'
import { Meter } from './wire/meter.ts'
import { settle, type TidingsOptions } from './wire/options.ts'
import { Readers } from './wire/readers.ts'
import type { Service } from './wire/service.ts'
import { Unread } from './wire/unread.ts'
import { Wheel } from './wire/wheel.ts'

export type { Accepted, Bus } from './bus/bus.ts'
export { GapError, type GapReason } from './bus/errors.ts'
export type { Retention } from './bus/log.ts'
export { type MemoryBusOptions, memoryBus } from './bus/memory.ts'
export type { Message } from './bus/message.ts'
export type { Payload } from './bus/payload.ts'
export type { SubscribeOptions } from './bus/subscribe.ts'
export type { Tidings } from './plugins/bus.ts'
export { websocketOptions } from './plugins/websocket.ts'
export type { Authorize, Limits, Permission, Question, TidingsOptions, Transport } from './wire/options.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The message log of fastify-tidings; see its option `decorator`. */
    tidings: Tidings
  }
}

/**
 * Puts one message log behind `/poll`, `/longpoll`, `/sse` and `/ws`, and decorates the app with it. The routes stand
 * in a scope of their own under `prefix`: the app's hooks, error handler and CORS apply to them.
 * @throws TIDINGS_ERR_OPTION that names the option
 */
async function tidings(app: FastifyInstance, options: TidingsOptions): Promise<void> {
  const settings = settle(options)
  const { bus, transports, limits } = settings
  const service: Service = {
    bus,
    settings,
    guard: new Guard(settings.authorize, settings.maxReaders, limits.publish),
    readers: new Readers(settings.maxReaders, new Clients(limits.readersPerClient, limits.client)),
    unread: new Unread(settings.slowConsumer),
    heartbeat: { sse: new Wheel(settings.heartbeat.sse), ws: new Wheel(settings.heartbeat.ws) },
    meter: settings.stats ? new Meter() : undefined,
  }
  setUpBus(app, bus, settings.decorator)
  storeNothing(app)
  app.addHook('preClose', (done) => {
    service.guard.close()
    service.readers.close(() => bus.log.views.flush())
    done()
  })
  app.addHook('onClose', async () => {
    service.meter?.close()
    service.unread.close()
  })

  await app.register(
    async (scope) => {
      scope.addHook('onSend', commonHeaders(service.readers))
      scope.addHook('onSend', service.unread.hook)
      answerUpgradesPlainly(scope, settings.slowConsumer.timeout)
      if (settings.publish) publish(scope, service)
      if (transports.has('poll')) poll(scope, service)
      if (transports.has('longpoll')) longpoll(scope, service)
      if (transports.has('sse')) sse(scope, service)
      if (settings.stats) stats(scope, service)
      // In a scope of their own: @fastify/websocket hooks into every request of the scope that it stands in.
      await scope.register(async (sockets) => {
        const make = await setUpSockets(sockets, settings.payloadLimit)
        if (transports.has('ws')) ws(sockets, service, make)
        if (settings.echo) echo(sockets, service, make)
      })
    },
    { prefix: settings.prefix, ...(settings.logLevel && { logLevel: settings.logLevel }) },
  )
  if (!settings.page) return
  await app.register(
    async (scope) => {
      scope.addHook('onSend', service.unread.hook)
      await page(scope)
    },
    { prefix: settings.prefix },
  )
}

export default fp(tidings, { fastify: '5.x', name: 'fastify-tidings' })
export { tidings }
