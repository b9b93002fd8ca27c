import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'

/** A connection that Node released because a request asked for another protocol. */
export interface Upgrade {
  readonly socket: Socket
  /** Bytes that followed the head of the request. */
  readonly head: Buffer
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>()

/**
 * Routes upgrades through the app's hooks to their handlers, like other requests. If a handler does not take the
 * socket, the response is plain HTTP, and the connection ends after it.
 * @param prefixes the paths whose upgrades are handled here; all others are left alone
 */
export function routeUpgrades(app: FastifyInstance, prefixes: readonly string[]): void {
  app.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (!prefixes.some((prefix) => request.url!.startsWith(prefix))) return
    socket.on('error', () => socket.destroy())
    upgrades.set(request, { socket, head })
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    response.once('finish', () => socket.end(() => socket.destroy()))
    app.routing(request, response)
  })
}

/** Returns the socket that a handler may take, or undefined for a plain request. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return upgrades.get(request)
}

/** Takes the socket from Fastify and the response. From then on, it has no timeout. */
export function takeUpgrade(reply: FastifyReply): Upgrade {
  const upgrade = upgradeOf(reply.request.raw)!
  reply.hijack()
  reply.raw.detachSocket(upgrade.socket)
  upgrade.socket.setTimeout(0)
  return upgrade
}
