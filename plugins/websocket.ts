import { EventEmitter } from 'node:events'
import fastifyWebsocket, { type WebsocketPluginOptions } from '@fastify/websocket'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { HTTPMethod } from 'find-my-way'
import type { WebSocket, WebSocketServer } from 'ws'
import { takeUpgrade, unguardSocket } from '../routes/http/upgrade.ts'
import { maxFrame } from '../routes/ws/frame-limit.ts'
import { handleProtocols } from '../routes/ws/handshake.ts'
import { UpgradeRouter } from './upgrade-router.ts'

/**
 * Pieces of a frame, and of a message, that ws keeps until it is whole. A piece of one byte takes 200 bytes, and it may
 * keep the 64 KiB alive that it was read with.
 */
const PIECES: object = { maxBufferedChunks: 4096, maxFragments: 128 }

/**
 * What @fastify/websocket is to be registered with where an app registers it by itself.
 * @param payloadLimit the plugin's option of that name, in bytes. @default 65536
 */
export function websocketOptions(payloadLimit: number = 64 * 1024): WebsocketPluginOptions {
  return {
    options: { handleProtocols, maxPayload: maxFrame(payloadLimit), perMessageDeflate: false, ...PIECES },
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
 * Sets up the sockets of one registration, with @fastify/websocket in this scope, or with the one that the app has
 * registered. Its server accepts the sockets. Its hooks and its listener have no part in it: those of the app's know
 * requests of their own copy alone.
 */
export async function setUpSockets(app: FastifyInstance, payloadLimit: number): Promise<SocketMaker> {
  const router = UpgradeRouter.of(app)
  const theirs = app.hasDecorator('websocketServer')
  if (!theirs) {
    const { options, ...others } = websocketOptions(payloadLimit)
    // It listens on what it takes for a server: the upgrades of the app's own come through the router.
    const server = new EventEmitter() as NonNullable<typeof options>['server']
    await app.register(fastifyWebsocket, {
      ...others,
      options: { ...options, clientTracking: false, server },
    })
  } else if (app.websocketServer.options.handleProtocols !== handleProtocols) {
    app.log.warn(
      '@fastify/websocket is registered without the websocketOptions of fastify-tidings: see docs/fastify.md of the package',
    )
  }
  const { websocketServer } = app
  const server: WebSocketServer = theirs
    ? // The same server, but for the subprotocol that it selects on our routes.
      Object.create(websocketServer, { options: { value: { ...websocketServer.options, handleProtocols } } })
    : websocketServer
  app.addHook('onRoute', (route) => {
    if (isSocket(route)) router.add('GET', route.url, 'socket')
  })
  const onError = (error: Error) => logFailure(error, app.log)

  return (opened) => ({
    handler(request, reply) {
      const { socket, head } = takeUpgrade(reply)
      server.handleUpgrade(request.raw, socket, head, (ws) => {
        unguardSocket(socket)
        ws.on('error', onError)
        if (theirs) websocketServer.emit('connection', ws, request.raw)
        opened(ws, request)
      })
    },
    wsHandler: opened,
  })
}

function isSocket(route: object): boolean {
  return 'wsHandler' in route
}

/**
 * Has the routes of this scope that are no sockets answer upgrades as if they had not been asked for.
 * @param timeout milliseconds in which a client is to take something of the answers before its upgrade
 */
export function answerUpgradesPlainly(app: FastifyInstance, timeout: number): void {
  const router = UpgradeRouter.of(app, timeout)
  app.addHook('onRoute', (route) => {
    if (!isSocket(route)) router.add(route.method as HTTPMethod | HTTPMethod[], route.url, 'plain')
  })
}
