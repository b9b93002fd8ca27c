import type { FastifyInstance } from 'fastify'
import type { SocketMaker } from '../plugins/websocket.ts'
import { EchoSocket } from '../wire/echo.ts'
import { socketRoute } from '../wire/handshake.ts'
import { echoSchema } from '../wire/schemas.ts'
import type { Service } from '../wire/service.ts'

/** GET /echo: a WebSocket that sends each frame back. */
export function echo(app: FastifyInstance, service: Service, sockets: SocketMaker): void {
  app.route({
    ...socketRoute(service, 'echo'),
    url: '/echo',
    schema: echoSchema,
    ...sockets((socket, request) => {
      new EchoSocket(service, request, socket)
    }),
  })
}
