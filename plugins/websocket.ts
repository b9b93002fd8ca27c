import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import type { HTTPMethod } from 'find-my-way'
import type { WebSocketServer } from 'ws'
import { takeUpgrade, unguardSocket } from '../routes/http/upgrade.ts'
import { deflateOffer } from '../routes/ws/extensions.ts'
import { maxFrame } from '../routes/ws/frame-limit.ts'
import { handleProtocols } from '../routes/ws/handshake.ts'
import type { SocketMaker } from '../routes/ws/socket-maker.ts'
import { UpgradeRouter } from './upgrade-router.ts'
import { logFailure, websocketOptions } from './websocket-options.ts'

/**
 * Sets up the sockets of a registration, with @fastify/websocket in this scope or with the app's. Only its WebSocket
 * server is used: its hooks and its listener do not run for our routes, since those of the app's copy handle only its
 * own requests.
 */
export async function setUpSockets(app: FastifyInstance, payloadLimit: number): Promise<SocketMaker> {
  const router = UpgradeRouter.of(app)
  const theirs = app.hasDecorator('websocketServer')
  if (!theirs) {
    const { options, ...others } = websocketOptions(payloadLimit)
    // It listens on a stand-in for the server: upgrades come through the router.
    const server = new EventEmitter() as unknown as Server
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
  // The same server, with what our routes negotiate. The limit of a frame applies after inflating.
  const serverWith = (others: object): WebSocketServer =>
    Object.create(websocketServer, {
      options: {
        value: { ...websocketServer.options, handleProtocols, perMessageDeflate: false, ...others },
      },
    })
  const plain = serverWith({})
  const deflating = serverWith({ perMessageDeflate: {}, maxPayload: maxFrame(payloadLimit) })
  app.addHook('onRoute', (route) => {
    if (isSocket(route)) router.add('GET', route.url, 'socket')
  })
  const onError = (error: Error) => logFailure(error, app.log)

  return (opened, deflate = false) => ({
    handler(request, reply) {
      const { socket, head } = takeUpgrade(reply)
      const offer = deflate ? deflateOffer(request.headers['sec-websocket-extensions']) : undefined
      const server = offer === undefined ? plain : deflating
      server.handleUpgrade(offering(request.raw, offer), socket, head, (ws) => {
        unguardSocket(socket)
        ws.on('error', onError)
        if (theirs) websocketServer.emit('connection', ws, request.raw)
        opened(ws, request)
      })
    },
    wsHandler: opened,
  })
}

/**
 * The request that ws gets, with the selected offer alone. ws refuses a handshake with an unacceptable offer, of which
 * only the offer must be declined.
 */
function offering(request: IncomingMessage, offer: string | undefined): IncomingMessage {
  if (offer === undefined) return request
  const headers = { ...request.headers, 'sec-websocket-extensions': offer }
  return Object.create(request, { headers: { value: headers } })
}

function isSocket(route: object): boolean {
  return 'wsHandler' in route
}

/**
 * Makes plain routes of this scope ignore upgrades.
 * @param timeout milliseconds within which a client must make progress in reading the answers before its upgrade
 */
export function answerUpgradesPlainly(app: FastifyInstance, timeout: number): void {
  const router = UpgradeRouter.of(app, timeout)
  app.addHook('onRoute', (route) => {
    if (!isSocket(route)) router.add(route.method as HTTPMethod | HTTPMethod[], route.url, 'plain')
  })
}
