import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'

/** A connection that Node has given away, because a request on it asked for another protocol. */
export interface Upgrade {
  readonly socket: Socket
  /** Bytes that came behind the head of the request. */
  readonly head: Buffer
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>()

/**
 * Sends upgrades through the app's hooks to their routes, as other requests go. A route that does not take the socket
 * answers over plain HTTP, and the connection ends with the answer.
 * @param prefixes the paths whose upgrades are ours; those of others are left alone
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

/** The socket that the handler of a request may take; undefined for a plain request. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return upgrades.get(request)
}

/** Takes the socket away from Fastify and from the response. It has no timeout from then on. */
export function takeUpgrade(reply: FastifyReply): Upgrade {
  const upgrade = upgradeOf(reply.request.raw)!
  reply.hijack()
  reply.raw.detachSocket(upgrade.socket)
  upgrade.socket.setTimeout(0)
  return upgrade
}
