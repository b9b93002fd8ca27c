import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'

/** Begins what a socket is there for. */
export type Opened = (socket: WebSocket, request: FastifyRequest) => void

/** The handlers of a route whose requests become WebSockets. */
export interface SocketHandlers {
  handler(request: FastifyRequest, reply: FastifyReply): void
  /** What the app's own @fastify/websocket calls, in a test by injection. */
  wsHandler: Opened
}

/**
 * Makes the handlers of the sockets of one registration.
 * @param deflate whether permessage-deflate is agreed to. @default false
 */
export type SocketMaker = (opened: Opened, deflate?: boolean) => SocketHandlers
