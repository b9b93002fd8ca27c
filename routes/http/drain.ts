import type { FastifyInstance } from 'fastify'

type Drain = () => Promise<void>

/** The registrations of a server that drain. */
const drains = new WeakMap<object, Set<Drain>>()

/**
 * Drains a server before it closes. The server stops listening first, so that a load balancer sends new connections and
 * reconnecting readers to other instances. All registrations of a server drain together: hooks run one after another,
 * and so would their windows.
 * @param window milliseconds; 0 disables draining
 */
export function drainFirst(
  app: FastifyInstance,
  window: number,
  drain: (window: number) => Promise<void>,
): void {
  if (window === 0) return
  const { server } = app
  const all = drains.get(server) ?? new Set()
  drains.set(server, all)
  let draining: Promise<void> | undefined
  all.add(() => {
    draining ??= drain(window)
    return draining
  })
  app.addHook('preClose', async () => {
    // Fastify closes it again later, and tolerates a closed server.
    if (server.listening) server.close()
    await Promise.all([...all].map((each) => each()))
  })
}
