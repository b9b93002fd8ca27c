import type { FastifyInstance, FastifyRequest } from 'fastify'
import { WebSocketServer } from 'ws'
import { CHANNEL } from './control.ts'
import type { DemoState } from './demo-state.ts'
import { ERR_CHANNEL, ERR_FULL, ERR_LANES, ERR_UPGRADE } from './errors.ts'
import { LANE } from './lanes.ts'
import { checkOrigin } from './own-origin.ts'
import { takeUpgrade, upgradeOf } from './upgrades.ts'
import { Watch } from './watch.ts'

/** Maximum pages, lanes per page, and bytes of a command. */
const MOST = { pages: 16, lanes: 8, control: 4096 }

/** `/demo/tap?lane=ID`: sends the traffic of these lanes and accepts commands. The lanes exist while it is open. */
export async function trafficFeed(app: FastifyInstance, state: DemoState): Promise<void> {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MOST.control,
    perMessageDeflate: false,
  })
  app.route({
    method: 'GET',
    url: '/demo/tap',
    exposeHeadRoute: false,
    schema: { hide: true } as object,
    onRequest(request, reply, done) {
      if (upgradeOf(request.raw) === undefined) {
        // RFC 9110 section 15.5.22. A client that asks to close the connection gets that.
        const last = /\bclose\b/i.test(request.headers.connection ?? '')
        reply.header('upgrade', 'websocket').header('connection', last ? 'upgrade, close' : 'upgrade')
        throw new ERR_UPGRADE()
      }
      checkOrigin(request)
      const { lanes } = parse(request)
      if (state.watches.size >= MOST.pages || state.lanes.fullWith(lanes.length)) throw new ERR_FULL()
      done()
    },
    handler(request, reply) {
      const { socket, head } = takeUpgrade(reply)
      const { localAddress, localPort } = socket
      const host = localAddress!.includes(':') ? `[${localAddress}]` : localAddress
      const asked = { ...parse(request), url: `http://${host}:${localPort}${app.prefix}` }
      server.handleUpgrade(request.raw, socket, head, (ws) => {
        // ws closes the connection with the appropriate code.
        ws.on('error', () => {})
        state.spare(socket)
        new Watch(state, ws, asked)
      })
    },
  })
}

/** @throws TIDINGS_ERR_LANES, TIDINGS_ERR_CHANNEL */
function parse({ query }: FastifyRequest): { lanes: readonly string[]; channel: string } {
  const { lane = [], channel = 'default' } = query as { lane?: string | string[]; channel?: unknown }
  const lanes = [...new Set([lane].flat())]
  if (lanes.length === 0 || lanes.length > MOST.lanes || !lanes.every((id) => LANE.test(id))) {
    throw new ERR_LANES(MOST.lanes)
  }
  if (typeof channel !== 'string' || !CHANNEL.test(channel)) throw new ERR_CHANNEL()
  return { lanes, channel }
}
