import type { FastifyInstance } from 'fastify'
import { Compressor } from '../http/compressor.ts'
import type { Context } from '../http/context.ts'
import { queryOf } from '../http/query.ts'
import { parseSocketQuery } from '../http/read-query.ts'
import { wsSchema } from '../http/schemas.ts'
import { deflatedFrames } from './encoder.ts'
import { socketRoute } from './handshake.ts'
import type { SocketMaker } from './socket-maker.ts'
import { SocketStream } from './socket-stream.ts'

/** GET /ws: the messages after a cursor, then new ones, over a WebSocket that can also publish. */
export function ws(app: FastifyInstance, context: Context, sockets: SocketMaker): void {
  const { compression } = context.settings
  const deflated = compression && deflatedFrames(new Compressor(compression.threshold))
  app.route({
    ...socketRoute(context, 'ws', parseSocketQuery),
    url: '/ws',
    schema: wsSchema,
    ...sockets((socket, request) => {
      const query = parseSocketQuery(queryOf(request))
      new SocketStream(context, request, socket, query, deflated).start()
    }, compression !== undefined),
  })
}
