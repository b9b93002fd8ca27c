import type { FastifyInstance, FastifyRequest } from 'fastify'
import { checkChannel, DEFAULT_CHANNEL } from '../bus/channel.ts'
import { setUpSockets } from '../plugins/websocket.ts'
import { Origins } from '../routes/http/origin.ts'
import { compilers } from '../routes/http/schemas.ts'
import { checkHandshake } from '../routes/ws/handshake.ts'
import type { DemoState } from './demo-state.ts'
import { ERR_FULL, ERR_LANES } from './errors.ts'
import { LANE } from './lanes.ts'
import { Watch } from './watch.ts'

/** Pages at once, and lanes of one. */
const MOST = { pages: 16, lanes: 8 }

/** `/demo/tap?lane=ID`: what goes over these lanes, and the controls of the page. They are there while it is open. */
export async function trafficFeed(app: FastifyInstance, stage: DemoState): Promise<void> {
  // Controls are small: a larger frame gets 1009.
  const sockets = await setUpSockets(app, 0)
  const origins = new Origins([])
  app.route({
    method: 'GET',
    url: '/demo/tap',
    exposeHeadRoute: false,
    schema: { hide: true } as object,
    ...compilers,
    onRequest(request, reply, done) {
      checkHandshake(request, reply)
      origins.check(request)
      const { lanes } = parse(request)
      if (stage.watches.size >= MOST.pages || stage.lanes.fullWith(lanes.length)) throw new ERR_FULL()
      done()
    },
    ...sockets((socket, request) => {
      const { localAddress, localPort } = request.socket
      const host = localAddress!.includes(':') ? `[${localAddress}]` : localAddress
      stage.spare(request.socket)
      new Watch(stage, socket, { ...parse(request), url: `http://${host}:${localPort}${app.prefix}` })
    }),
  })
}

/** @throws TIDINGS_ERR_LANES, TIDINGS_ERR_CHANNEL */
function parse({ query }: FastifyRequest): { lanes: readonly string[]; channel: string } {
  const { lane = [], channel = DEFAULT_CHANNEL } = query as { lane?: string | string[]; channel?: unknown }
  const lanes = [...new Set([lane].flat())]
  if (lanes.length === 0 || lanes.length > MOST.lanes || !lanes.every((id) => LANE.test(id))) {
    throw new ERR_LANES(MOST.lanes)
  }
  return { lanes, channel: checkChannel(channel) }
}
