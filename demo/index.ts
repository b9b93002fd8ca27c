import type { FastifyInstance } from 'fastify'
import type { Bus } from '../bus/bus.ts'
import { DemoState } from './demo-state.ts'
import { laneProxy } from './lane-proxy.ts'
import { trafficFeed } from './traffic-feed.ts'

/** Milliseconds that answers which are under way in a lane have left when the app goes away. */
const GRACE = 700

/**
 * What the page needs to show the traffic of its lanes. It lets anybody who reaches it see and hold up what goes over
 * lanes of their own, publish, and start the log over: for the runnable app, not for others.
 * @param bus that of the app's registration of the plugin
 */
export async function demo(app: FastifyInstance, { bus }: { bus: Bus }): Promise<void> {
  const stage = new DemoState(bus)
  app.server.on('connection', (socket) => stage.connected(socket))
  app.addHook('preClose', (done) => {
    for (const watch of stage.watches) watch.close()
    stage.lanes.hurry()
    setTimeout(() => stage.close(), GRACE).unref()
    done()
  })
  await app.register(async (scope) => laneProxy(scope, stage.lanes))
  await app.register((scope) => trafficFeed(scope, stage))
}
