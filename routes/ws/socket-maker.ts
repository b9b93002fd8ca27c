import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'

/** Starts a socket. */
export type Opened = (socket: WebSocket, request: FastifyRequest) => void

/** The handlers of a WebSocket route. */
export interface SocketHandlers {
  handler(request: FastifyRequest, reply: FastifyReply): void
  /** Called by the app's own @fastify/websocket for an injected request. */
  wsHandler: Opened
}

/**
 * Creates the handlers of the socket routes of one registration.
 * @param deflate whether permessage-deflate may be negotiated. @default false
 */
export type SocketMaker = (opened: Opened, deflate?: boolean) => SocketHandlers
