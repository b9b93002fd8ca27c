import type { FastifyInstance } from 'fastify'
import type { SocketMaker } from '../plugins/websocket.ts'
import { parseSocketAsk } from '../wire/ask.ts'
import { socketRoute } from '../wire/handshake.ts'
import { queryOf } from '../wire/query.ts'
import { wsSchema } from '../wire/schemas.ts'
import type { Service } from '../wire/service.ts'
import { SocketStream } from '../wire/socket.ts'

/** GET /ws: what stands after a cursor, and all that comes, over a WebSocket that publishes, too. */
export function ws(app: FastifyInstance, service: Service, sockets: SocketMaker): void {
  app.route({
    ...socketRoute(service, 'ws', parseSocketAsk),
    url: '/ws',
    schema: wsSchema,
    ...sockets((socket, request) => {
      const ask = parseSocketAsk(queryOf(request))
      new SocketStream(service, request, socket, ask).start()
    }),
  })
}
