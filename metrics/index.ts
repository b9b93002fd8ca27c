import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { PublishMessage } from '../bus/publish-channel.ts'
import type { Tidings } from '../plugins/bus.ts'
import type { Cost } from '../routes/http/meter.ts'
import type { GapTold, ReaderClose, Refused } from '../routes/http/reader-channels.ts'
import { Counter } from './counter.ts'
import { type Metric, TYPE, textOf } from './prometheus.ts'

export interface MetricsOptions {
  /** The path of the route. @default '/metrics' */
  path?: string
  /** The decorator of the measured plugin. @default 'tidings' */
  decorator?: string
}

/**
 * Serves the figures of a log as Prometheus text. Register it after fastify-tidings, whose option `stats` is required
 * for the figures of the transports. Counts of publishes, gaps, refusals and closed readers are those of the process,
 * since the registration.
 */
async function metrics(
  app: FastifyInstance,
  { path = '/metrics', decorator = 'tidings' }: MetricsOptions,
): Promise<void> {
  const tidings = app.getDecorator<Tidings>(decorator)
  const [published, publishedBytes, gaps, refused, closed] = Array.from(
    { length: 5 },
    () => new Counter(),
  ) as [Counter, Counter, Counter, Counter, Counter]
  published.add({}, 0)
  publishedBytes.add({}, 0)
  const listeners: Record<string, (message: unknown) => void> = {
    'tidings.publish'(message) {
      published.add()
      publishedBytes.add({}, (message as PublishMessage).size)
    },
    'tidings.gap'(message) {
      const { transport, reason } = message as GapTold
      gaps.add({ transport, reason })
    },
    'tidings.refused'(message) {
      refused.add({ code: (message as Refused).code })
    },
    'tidings.reader.close'(message) {
      const { transport, reason } = message as ReaderClose
      closed.add({ transport, reason })
    },
  }
  for (const [name, listener] of Object.entries(listeners)) subscribe(name, listener)
  app.addHook('onClose', async () => {
    for (const [name, listener] of Object.entries(listeners)) unsubscribe(name, listener)
  })

  function* all(): IterableIterator<Metric> {
    const { bus, transports, process } = tidings.stats()
    const counter = (name: string, help: string, samples: Metric['samples']): Metric => ({
      name: `tidings_${name}_total`,
      type: 'counter',
      help,
      samples,
    })
    const gauge = (name: string, help: string, samples: Metric['samples'] | number): Metric => ({
      name: `tidings_${name}`,
      type: 'gauge',
      help,
      samples: typeof samples === 'number' ? [[{}, samples]] : samples,
    })
    const each = (member: keyof Cost): Metric['samples'] =>
      Object.entries(transports).map(([transport, cost]) => [{ transport }, cost[member]] as const)
    yield counter('published_messages', 'Entries that got into the log of this process.', published)
    yield counter('published_bytes', 'Bytes of their envelopes.', publishedBytes)
    yield counter('requests', 'Requests by transport.', each('requests'))
    yield counter('delivered_messages', 'Messages handed to clients by transport.', each('messages'))
    yield counter('received_bytes', 'Bytes in on the sockets by transport.', each('bytesIn'))
    yield counter('sent_bytes', 'Bytes out on the sockets by transport.', each('bytesOut'))
    yield gauge('open_connections', 'Requests and connections that are open by transport.', each('open'))
    yield counter('closed_readers', 'Readers that are held no more by reason.', closed)
    yield counter('gaps', 'Gaps that were told by reason.', gaps)
    yield counter('refused', 'Refusals by code.', refused)
    yield gauge('log_head', 'The seq of the last message.', bus.head)
    yield gauge('log_messages', 'Messages that are kept.', bus.messages)
    yield gauge('log_channels', 'Channels that hold a message.', bus.channels)
    yield gauge('log_bytes', 'Bytes of memory that the log takes.', bus.bytes)
    yield gauge('bus_connected', 'Whether the bus is connected: 1 or 0.', bus.connected ? 1 : 0)
    const { p50, p99 } = process.eventLoopDelayMs
    yield gauge('event_loop_delay_seconds', 'Delay of the event loop since the start.', [
      [{ quantile: '0.5' }, p50 / 1000],
      [{ quantile: '0.99' }, p99 / 1000],
    ])
  }

  app.get(path, { exposeHeadRoute: false }, (_request, reply) =>
    reply.type(TYPE).header('cache-control', 'no-store').send(textOf(all())),
  )
}

export default fp(metrics, {
  fastify: '5.x',
  name: 'fastify-tidings-metrics',
  dependencies: ['fastify-tidings'],
})
