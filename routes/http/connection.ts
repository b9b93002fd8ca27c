import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { IndexedSet, NOWHERE } from '../../bus/indexed-set.ts'
import { upgradeOf } from './upgrade.ts'

/** A part of the plugin that ends when its client disconnects. */
export interface Guest {
  /** The index among the guests of its connection. Only the connection writes it. */
  indexAtConnection: number
  /** The client has disconnected. Not called after the guest has left. */
  clientGone(): void
}

/**
 * Maximum held readers per HTTP/1.1 connection. Pipelined requests are answered in order, so that answers behind a
 * stream are never written.
 */
const MOST_HELD = 16

const CONNECTION = Symbol('connection')

/** A socket, or an HTTP/2 stream. */
interface Carrier extends EventEmitter {
  readonly destroyed?: boolean
  [CONNECTION]?: Connection
}

/**
 * The connection of a request, which detects that the client has disconnected. A request emits 'close' once it has been
 * read, and a response that waits in a pipeline emits none: only the connection is reliable. It has one listener for
 * all of its requests.
 */
export class Connection {
  readonly #carrier: Carrier
  readonly #guests = new IndexedSet<'indexAtConnection', Guest>('indexAtConnection')
  #held = 0
  /** The connection's own timeout, in milliseconds. It must not end a held reader. */
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

  /** Whether the client has disconnected. Check it before adding a guest, which gets no event for the past. */
  get gone(): boolean {
    return this.#carrier.destroyed === true
  }

  /** Whether it has reached its limit of held readers. */
  get full(): boolean {
    return this.#held >= MOST_HELD
  }

  add(guest: Guest): void {
    this.#guests.add(guest)
  }

  /** Removes a guest, if it is one. */
  delete(guest: Guest): void {
    this.#guests.delete(guest)
  }

  /** Adds a held reader, and suspends the connection's timeout. Call it in the turn in which `full` was false. */
  hold(guest: Guest): void {
    this.add(guest)
    const socket = this.#carrier as Partial<Socket>
    if (this.#held++ > 0 || !socket.timeout) return
    this.#timeout = socket.timeout
    socket.setTimeout!(0)
  }

  /** Releases a held reader, if it is one. */
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
  // An injected request may have only the stream of its upgrade.
  return (request as { stream?: Carrier }).stream ?? (upgradeOf(request)?.socket as Carrier) ?? request.socket
}
