import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { HTTPMethod } from 'find-my-way'
import { type WebSocket, WebSocketServer } from 'ws'
import { maxFrame } from '../wire/frame-limit.ts'
import { handleProtocols } from '../wire/handshake.ts'
import { takeUpgrade, unguardSocket } from '../wire/upgraded.ts'
import { UpgradeDesk } from './upgrade.ts'

/** Options of @fastify/websocket. */
export interface WebsocketOptions {
  options: { handleProtocols: typeof handleProtocols; maxPayload: number; perMessageDeflate: false }
  errorHandler(error: Error, socket: WebSocket, request: FastifyRequest): void
  preClose(done: () => void): void
}

/**
 * What @fastify/websocket is to be registered with where an app registers it by itself.
 * @param payloadLimit the plugin's option of that name, in bytes. @default 65536
 */
export function websocketOptions(payloadLimit: number = 64 * 1024): WebsocketOptions {
  return {
    options: { handleProtocols, maxPayload: maxFrame(payloadLimit), perMessageDeflate: false },
    // ws closes with the code that the fault calls for, 1002, 1007 or 1009; the plugin's own handler would cut it off.
    errorHandler(error, _socket, request) {
      logFailure(error, request.log)
    },
    // Ours closes with 1001, and waits.
    preClose(done) {
      done()
    },
  }
}

function logFailure(err: Error, log: FastifyBaseLogger): void {
  log.debug({ err }, 'a WebSocket failed')
}

/** Begins what a socket is there for. */
export type Opened = (socket: WebSocket, request: FastifyRequest) => void

/** The handlers of a route whose requests become WebSockets. */
export interface SocketHandlers {
  handler(request: FastifyRequest, reply: FastifyReply): void
  /** What the app's own @fastify/websocket calls, in a test by injection. */
  wsHandler: Opened
}

/** Makes the handlers of the sockets of one registration. */
export type SocketMaker = (opened: Opened) => SocketHandlers

/**
 * Sets the sockets of one registration up, with a server of ws, or that of the app's own @fastify/websocket. Its hooks
 * and its listener have no part in it: they know requests of their own copy alone.
 */
export function setUpSockets(app: FastifyInstance, payloadLimit: number): SocketMaker {
  const desk = UpgradeDesk.of(app)
  const { options } = websocketOptions(payloadLimit)
  const theirs = app.hasDecorator('websocketServer')
    ? app.getDecorator<WebSocketServer>('websocketServer')
    : undefined
  if (theirs !== undefined && theirs.options.handleProtocols !== handleProtocols) {
    app.log.warn(
      '@fastify/websocket is registered without the websocketOptions of fastify-tidings: see its README',
    )
  }
  const server: WebSocketServer = theirs
    ? // The same server, but for the subprotocol that it selects on our routes.
      Object.create(theirs, { options: { value: { ...theirs.options, handleProtocols } } })
    : new WebSocketServer({ ...options, noServer: true, clientTracking: false })
  app.addHook('onRoute', (route) => {
    if (isSocket(route)) desk.add('GET', route.url, 'socket')
  })
  const onError = (error: Error) => logFailure(error, app.log)

  return (opened) => ({
    handler(request, reply) {
      const { socket, head } = takeUpgrade(reply)
      server.handleUpgrade(request.raw, socket, head, (ws) => {
        unguardSocket(socket)
        ws.on('error', onError)
        theirs?.emit('connection', ws, request.raw)
        opened(ws, request)
      })
    },
    wsHandler: opened,
  })
}

function isSocket(route: object): boolean {
  return 'wsHandler' in route
}

/** Has the routes of this scope that are no sockets answer upgrades as if they had not been asked for. */
export function answerUpgradesPlainly(app: FastifyInstance): void {
  const desk = UpgradeDesk.of(app)
  app.addHook('onRoute', (route) => {
    if (!isSocket(route)) desk.add(route.method as HTTPMethod | HTTPMethod[], route.url, 'plain')
  })
}
