import type { FastifyInstance } from 'fastify'
import type { Context } from '../http/context.ts'
import { echoSchema } from '../http/schemas.ts'
import { socketRoute } from '../ws/handshake.ts'
import type { SocketMaker } from '../ws/socket-maker.ts'
import { EchoSocket } from './echo-socket.ts'

/** GET /echo: a WebSocket that sends each frame back. */
export function echo(app: FastifyInstance, context: Context, sockets: SocketMaker): void {
  app.route({
    ...socketRoute(context, 'echo'),
    url: '/echo',
    schema: echoSchema,
    ...sockets((socket, request) => {
      new EchoSocket(context, request, socket)
    }),
  })
}
