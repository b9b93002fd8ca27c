import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyReply } from 'fastify'

/** A connection that Node has given away, since a request on it asked for another protocol. */
export interface Upgrade {
  readonly socket: Duplex
  /** What came behind the head of the request. */
  readonly head: Buffer
}

const UPGRADE = Symbol('upgrade')

type Asking = IncomingMessage & { [UPGRADE]?: Upgrade }

function destroy(this: Duplex): void {
  this.destroy()
}

function end(this: Duplex): void {
  this.end()
}

/**
 * Looks after a socket between two owners. Node takes its own listeners off before it gives a socket away: an error
 * that nobody listens to ends the process, and a client that leaves, by a reset too, may show as an end alone.
 */
export function guardSocket(socket: Duplex): void {
  socket.on('error', destroy).on('end', end)
}

/** The next owner may let its client end one direction before the other; whether it listens to errors is not known. */
export function guardErrors(socket: Duplex): void {
  socket.off('end', end)
}

/** The next owner of the socket listens by itself. */
export function unguardSocket(socket: Duplex): void {
  socket.off('error', destroy).off('end', end)
}

/** A route may take this request's socket. */
export function offerUpgrade(request: IncomingMessage, upgrade: Upgrade): void {
  ;(request as Asking)[UPGRADE] = upgrade
}

/** The socket that the handler of a request may take, where there is one. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return (request as Asking)[UPGRADE]
}

/** Takes the socket away from Fastify and from the response. The guard stays until the caller has a listener. */
export function takeUpgrade(reply: FastifyReply): Upgrade {
  const upgrade = upgradeOf(reply.request.raw)!
  reply.hijack()
  reply.raw.detachSocket(upgrade.socket as Parameters<typeof reply.raw.detachSocket>[0])
  return upgrade
}
