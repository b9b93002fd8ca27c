import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Tidings } from '../plugins/bus.ts'
import { Figures } from './figures.ts'
import { type Meter, register } from './opentelemetry.ts'
import { TYPE, textOf } from './prometheus.ts'

export type { Meter } from './opentelemetry.ts'

export interface MetricsOptions {
  /** The path of a route with Prometheus text. @default '/metrics', or no route if `meter` is set */
  path?: string
  /** A meter of `@opentelemetry/api`, which gets an instrument for each figure. */
  meter?: Meter
  /** The decorator of the measured plugin. @default 'tidings' */
  decorator?: string
}

/**
 * Exports the figures of a log, as Prometheus text or as OpenTelemetry instruments. Register it after fastify-tidings,
 * whose option `stats` is required for the figures of the transports. Publishes, deliveries, gaps, refusals and closed
 * readers are those of the process, since the registration.
 */
async function metrics(
  app: FastifyInstance,
  { meter, path = meter === undefined ? '/metrics' : undefined, decorator = 'tidings' }: MetricsOptions,
): Promise<void> {
  const figures = new Figures(app.getDecorator<Tidings>(decorator))
  const unregister = meter && register(meter, figures)
  app.addHook('onClose', async () => {
    unregister?.()
    figures.close()
  })
  if (path === undefined) return
  app.get(path, { exposeHeadRoute: false }, (_request, reply) =>
    reply.type(TYPE).header('cache-control', 'no-store').send(textOf(figures.metrics(), figures.histograms)),
  )
}

export default fp(metrics, {
  fastify: '5.x',
  name: 'fastify-tidings-metrics',
  dependencies: ['fastify-tidings'],
})
