import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import fastifyWebsocket, { type WebsocketPluginOptions } from '@fastify/websocket'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import { maxFrame } from '../wire/frame-limit.ts'
import { handleProtocols } from '../wire/handshake.ts'
import { responseOn } from '../wire/internals.ts'
import { UpgradeDesk } from './upgrade.ts'

/**
 * What @fastify/websocket is to be registered with where an app registers it by itself.
 * @param payloadLimit the plugin's option of that name, in bytes. @default 65536
 */
export function websocketOptions(payloadLimit: number = 64 * 1024): WebsocketPluginOptions {
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

/**
 * A socket of ours keeps nothing of its request: the response to the upgrade, and what @fastify/websocket listens with,
 * would stay in memory as long as it does.
 */
function letGo(ws: WebSocket, { socket }: IncomingMessage, onError: (error: Error) => void): void {
  ws.removeAllListeners('error')
  ws.on('error', onError)
  // There is none in a test by injection.
  if (socket) responseOn(socket)?.detachSocket(socket)
}

function logFailure(err: Error, log: FastifyBaseLogger): void {
  log.debug({ err }, 'a WebSocket failed')
}

/**
 * Sets the sockets of one registration up: with @fastify/websocket in this scope alone, behind the desk that takes
 * the upgrades, or with the one that the user has registered.
 */
export async function setUpSockets(app: FastifyInstance, payloadLimit: number): Promise<void> {
  const desk = UpgradeDesk.of(app)
  const own = !app.hasDecorator('websocketServer')
  const upgrades = own ? new EventEmitter() : undefined
  if (upgrades !== undefined) {
    const { options, ...others } = websocketOptions(payloadLimit)
    // It only listens on what it takes for a server.
    const server = upgrades as NonNullable<typeof options>['server']
    await app.register(fastifyWebsocket, { ...others, options: { ...options, server } })
    const onError = (error: Error) => logFailure(error, app.log)
    app.websocketServer.on('connection', (ws, request) => process.nextTick(letGo, ws, request, onError))
  } else if (app.websocketServer.options.handleProtocols !== handleProtocols) {
    app.log.warn(
      '@fastify/websocket is registered without the websocketOptions of fastify-tidings: see its README',
    )
  }
  app.addHook('onRoute', ({ url, wsHandler }) => {
    if (wsHandler !== undefined) desk.add(url, upgrades)
  })
}

/** Has the routes of this scope that are no sockets answer upgrades as if they had not been asked for. */
export function answerUpgradesPlainly(app: FastifyInstance): void {
  const desk = UpgradeDesk.of(app)
  app.addHook('onRoute', (route) => {
    if (route.wsHandler === undefined) route.onRequest = [desk.plain, ...[route.onRequest ?? []].flat()]
  })
}
