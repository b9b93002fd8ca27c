import { EventEmitter } from 'node:events'
import fastifyWebsocket, { type WebsocketPluginOptions } from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import { maxFrame } from '../wire/frame-limit.ts'
import { handleProtocols } from '../wire/handshake.ts'
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
      request.log.debug({ err: error }, 'a WebSocket failed')
    },
    // Ours closes with 1001, and waits.
    preClose(done) {
      done()
    },
  }
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
