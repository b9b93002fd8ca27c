import type { FastifyInstance } from 'fastify'

type Drain = () => Promise<void>

/** The registrations of a server that have something to drain. */
const drains = new WeakMap<object, Set<Drain>>()

/**
 * Has a server that closes wait for its readers to go. It stops listening first, so that a balancer leads new
 * connections, and those of the readers that go, to others. All registrations of a server drain at once: hooks run one
 * after another, and so would their windows.
 * @param window milliseconds; 0: nothing is waited for
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
    // Fastify closes it again later, and expects that somebody has done so before.
    if (server.listening) server.close()
    await Promise.all([...all].map((each) => each()))
  })
}
