import type { FastifyInstance } from 'fastify'
import type { Tidings } from 'fastify-tidings'
import { DemoState } from './demo-state.ts'
import { laneProxy } from './lane-proxy.ts'
import { trafficFeed } from './traffic-feed.ts'
import { routeUpgrades } from './upgrades.ts'

/** Milliseconds that responses in transit have left when the app closes. */
const GRACE = 700

/**
 * Adds the routes that the page needs to show the traffic of its lanes. They let everyone who reaches the app record
 * and delay the traffic of their own lanes, publish, and restart the log. Register it only in the demo.
 * @param options.tidings the decorator of the plugin; `restart` restarts its log, if that is possible
 */
export async function demo(
  app: FastifyInstance,
  { tidings, restart }: { tidings: Tidings; restart: (() => void) | undefined },
): Promise<void> {
  const state = new DemoState(tidings, restart)
  app.server.on('connection', (socket) => state.connected(socket))
  app.addHook('preClose', (done) => {
    for (const watch of state.watches) watch.close()
    state.lanes.hurry()
    setTimeout(() => state.close(), GRACE).unref()
    done()
  })
  routeUpgrades(app, [`${app.prefix}/lane/`, `${app.prefix}/demo/tap`])
  await app.register(async (scope) => laneProxy(scope, state.lanes))
  await app.register((scope) => trafficFeed(scope, state))
}
