import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyReply } from 'fastify'

/** A connection that Node has detached because a request asked for an upgrade. */
export interface Upgrade {
  readonly socket: Duplex
  /** The bytes after the head of the request. */
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
 * Guards a socket between two owners. Node removes its listeners before it detaches a socket: an unhandled error would
 * end the process, and a client that disconnects, even by a reset, may emit only 'end'.
 */
export function guardSocket(socket: Duplex): void {
  socket.on('error', destroy).on('end', end)
}

/** For owners that allow half-open connections and may not listen to errors. */
export function guardErrors(socket: Duplex): void {
  socket.off('end', end)
}

/** Removes the guard: the next owner has its own listeners. */
export function unguardSocket(socket: Duplex): void {
  socket.off('error', destroy).off('end', end)
}

/** Offers the socket of a request to its route. */
export function offerUpgrade(request: IncomingMessage, upgrade: Upgrade): void {
  ;(request as Asking)[UPGRADE] = upgrade
}

/** The socket that is offered to the handler of a request, if any. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return (request as Asking)[UPGRADE]
}

/** Detaches the socket from Fastify and the response. The guard stays until the caller has a listener. */
export function takeUpgrade(reply: FastifyReply): Upgrade {
  const upgrade = upgradeOf(reply.request.raw)!
  reply.hijack()
  reply.raw.detachSocket(upgrade.socket as Parameters<typeof reply.raw.detachSocket>[0])
  return upgrade
}
