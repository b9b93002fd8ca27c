import type { FastifyInstance } from 'fastify'
import type { Tidings } from 'fastify-tidings'
import { DemoState } from './demo-state.ts'
import { laneProxy } from './lane-proxy.ts'
import { trafficFeed } from './traffic-feed.ts'
import { routeUpgrades } from './upgrades.ts'

/** Milliseconds that answers which are under way in a lane have left when the app goes away. */
const GRACE = 700

/**
 * What the page needs to show the traffic of its lanes. It lets anybody who reaches it see and hold up what goes over
 * lanes of their own, publish, and start the log over: for the runnable app, not for others.
 * @param options.tidings of the app's registration of the plugin; `restart` starts its log over, where that can be
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
