import Fastify, { type FastifyInstance } from 'fastify'
import type { MemoryBusOptions, TidingsOptions } from '../../index.ts'

/*
 * One instance of an app, a process of its own that its test tells what to do. The first order starts it.
 */

/** Whose connections it takes. */
export type Library = 'own' | 'redis' | 'ioredis'

export interface Start {
  readonly url: string
  readonly library?: Library
  readonly prefix?: string
  readonly retention?: MemoryBusOptions
  /** Milliseconds that this process's clock is ahead. */
  readonly clock?: number
  readonly port?: number
  readonly tidings?: TidingsOptions
}

export interface Publish {
  readonly channel: string
  readonly data: unknown
  readonly key?: string
}

export type Order =
  | { readonly start: Start }
  /** All in one turn of the event loop. */
  | { readonly publish: readonly Publish[] }
  | { readonly measure: true }
  | { readonly close: true }

export type Published = { cursor: string; time: number } | { code: string; message: string }

export interface Measured {
  /** Bytes, after a collection. */
  readonly heap: number
  /** What keeps the process alive, by its kind. */
  readonly handles: Readonly<Record<string, number>>
  readonly cpuMs: number
}

/** Milliseconds that a start may take: on a machine that runs many at once it has to wait for its turn. */
const PATIENCE = 100_000

let app: FastifyInstance

async function start(settings: Start): Promise<{ url: string }> {
  const { url, library = 'own', prefix, retention, clock = 0, port = 0, tidings = {} } = settings
  if (clock !== 0) {
    const { now } = Date
    Date.now = () => now() + clock
  }
  // Behind the clock: what keeps a copy of it would not see the change.
  const { default: plugin } = await import('../../index.ts')
  const { redisBus } = await import('../../bus/redis.ts')
  const options = { ...(prefix !== undefined && { prefix }), ...(retention && { retention }) }
  const bus =
    library === 'own'
      ? redisBus({ url, ...options })
      : redisBus({ client: await clientOf(library, url), ...options })
  app = Fastify({ forceCloseConnections: 'idle', pluginTimeout: PATIENCE })
  await app.register(plugin, {
    bus,
    publish: true,
    stats: true,
    heartbeat: { sse: 1000, ws: 2000 },
    ...tidings,
  })
  return { url: await app.listen({ host: '127.0.0.1', port }) }
}

/** A client of the app's own. */
async function clientOf(library: 'redis' | 'ioredis', url: string) {
  if (library === 'ioredis') {
    const { Redis } = await import('ioredis')
    return new Redis(url, { lazyConnect: true })
  }
  const { createClient } = await import('redis')
  return createClient({ url })
}

async function publish(messages: readonly Publish[]): Promise<Published[]> {
  const settled = await Promise.allSettled(
    messages.map(({ channel, data, key }) =>
      app.tidings.publish(channel, data, key === undefined ? {} : { key }),
    ),
  )
  return settled.map((one) =>
    one.status === 'fulfilled'
      ? { cursor: one.value.cursor, time: one.value.time }
      : { code: String(one.reason.code), message: String(one.reason.message) },
  )
}

function measure(): Measured {
  globalThis.gc!()
  const handles: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1
  const { user, system } = process.cpuUsage()
  return { heap: process.memoryUsage().heapUsed, handles, cpuMs: (user + system) / 1000 }
}

async function obey(order: Order): Promise<unknown> {
  if ('start' in order) return start(order.start)
  if ('publish' in order) return publish(order.publish)
  if ('measure' in order) return measure()
  return app.close()
}

process.on('message', ({ ref, order }: { ref: number; order: Order }) => {
  obey(order).then(
    (answer) => process.send!({ ref, answer }),
    ({ message, code }: NodeJS.ErrnoException) => process.send!({ ref, error: { message, code } }),
  )
})
process.on('disconnect', () => process.exit())
