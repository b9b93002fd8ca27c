import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { FastifyInstance } from 'fastify'
import type { Context } from '../http/context.ts'
import { asIs, compilers, statsSchema } from '../http/schemas.ts'

/** Milliseconds between two samples of the event loop's delay. */
const RESOLUTION = 10

/** GET /stats: what the log keeps, what each transport has cost, and the process. */
export function stats(app: FastifyInstance, { bus, guard, meter }: Context): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  delay.enable()
  app.addHook('onClose', () => {
    delay.disable()
  })
  // A sample is the time between two timers: the delay is what it has over the resolution.
  const late = (percentile: number) => Math.max(0, delay.percentile(percentile) / 1e6 - RESOLUTION)

  app.route({
    method: 'GET',
    url: '/stats',
    exposeHeadRoute: false,
    schema: statsSchema,
    ...compilers,
    preHandler: guard.hook(() => ({ action: 'stats', channels: [] })),
    handler(_request, reply) {
      const { epoch, head, kept } = bus.log
      const { user, system } = process.cpuUsage()
      const figures = {
        bus: { epoch, head, ...kept, connected: bus.connected ?? true },
        transports: meter!.costs,
        process: {
          cpuMs: (user + system) / 1000,
          rssBytes: process.memoryUsage.rss(),
          eventLoopDelayMs: { p50: late(50), p99: late(99) },
        },
      }
      reply.type('application/json; charset=utf-8').serializer(asIs).send(JSON.stringify(figures))
    },
  })
}
