import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { IndexedSet, NOWHERE } from '../../bus/indexed-set.ts'
import { upgradeOf } from './upgrade.ts'

/** What ends when its client is gone. */
export interface Guest {
  /** Its place among the guests of its connection. Set by the connection alone. */
  indexAtConnection: number
  /** The client is gone. Not called where the guest left before. */
  clientGone(): void
}

/**
 * Readers that one connection may hold at once, over HTTP/1.1. A client that sends requests in a pipeline gets the
 * answers in their order: those behind a reader that does not end are never written.
 */
const MOST_HELD = 16

const CONNECTION = Symbol('connection')

/** A socket, or over HTTP/2 a stream. */
interface Carrier extends EventEmitter {
  readonly destroyed?: boolean
  [CONNECTION]?: Connection
}

/**
 * What a request came by, which tells when its client is gone. A request's own 'close' comes when it has been read, and
 * a response that waits in a pipeline behind others gets none: only what both came by tells for certain. It is listened
 * to once, however many requests come by it.
 */
export class Connection {
  readonly #carrier: Carrier
  readonly #guests = new IndexedSet<'indexAtConnection', Guest>('indexAtConnection')
  #held = 0
  /** The connection's own timeout, in milliseconds, which must not cut a reader that is held. */
  #timeout = 0

  static of(request: IncomingMessage): Connection {
    const carrier = carrierOf(request)
    carrier[CONNECTION] ??= new Connection(carrier)
    return carrier[CONNECTION]
  }

  private constructor(carrier: Carrier) {
    this.#carrier = carrier
    carrier.once('close', onClose)
  }

  /** Whether the client has gone: to be asked before a guest comes, since nobody is told of what is past. */
  get gone(): boolean {
    return this.#carrier.destroyed === true
  }

  /** Whether it holds as many readers as one may. */
  get full(): boolean {
    return this.#held >= MOST_HELD
  }

  add(guest: Guest): void {
    this.#guests.add(guest)
  }

  /** Leaving twice is harmless. */
  delete(guest: Guest): void {
    this.#guests.delete(guest)
  }

  /** A guest that stays: no timeout of the connection counts. To be asked for in the turn in which it was not full. */
  hold(guest: Guest): void {
    this.add(guest)
    const socket = this.#carrier as Partial<Socket>
    if (this.#held++ > 0 || !socket.timeout) return
    this.#timeout = socket.timeout
    socket.setTimeout!(0)
  }

  /** Releasing twice is harmless. */
  release(guest: Guest): void {
    if (guest.indexAtConnection === NOWHERE) return
    this.delete(guest)
    if (--this.#held > 0 || this.#timeout === 0) return
    ;(this.#carrier as Socket).setTimeout(this.#timeout)
    this.#timeout = 0
  }

  /** @internal */
  end(): void {
    for (const guest of this.#guests.all()) if (this.#guests.has(guest)) guest.clientGone()
  }
}

function onClose(this: Carrier): void {
  this[CONNECTION]!.end()
}

function carrierOf(request: IncomingMessage): Carrier {
  // A request by injection may have none but what it is upgraded on.
  return (request as { stream?: Carrier }).stream ?? (upgradeOf(request)?.socket as Carrier) ?? request.socket
}
