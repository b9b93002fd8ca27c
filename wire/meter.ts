import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { onRequestHookHandler } from 'fastify'
import { waitingBytes } from './internals.ts'
import type { Transport } from './options.ts'

/** What one transport has cost. Bytes are those on the socket: headers and framing included, over TLS before it. */
export interface Cost {
  /** Requests or connections that are open now. */
  open: number
  requests: number
  /** Messages that were handed to clients. */
  messages: number
  bytesIn: number
  bytesOut: number
}

interface Open {
  readonly transport: Transport
  readonly socket: Socket
}

const FINISH = 'http.server.response.finish'

/** What has gone over a socket, without what is still queued. */
function bytesOf(socket: Socket): { bytesIn: number; bytesOut: number } {
  return { bytesIn: socket.bytesRead, bytesOut: socket.bytesWritten - waitingBytes(socket) }
}

const NOTHING = { bytesIn: 0, bytesOut: 0 }

/**
 * Counts what goes over the sockets. One connection may serve several transports, and routes that are not ours: its
 * bytes are split at each response's end.
 */
export class Meter {
  readonly #costs: Record<Transport, Cost>
  readonly #open = new Map<ServerResponse, Open>()
  /** What of a socket has been counted, or was not ours. */
  readonly #counted = new WeakMap<Socket, { bytesIn: number; bytesOut: number }>()
  readonly #onFinish: (message: unknown) => void

  constructor() {
    const cost = (): Cost => ({ open: 0, requests: 0, messages: 0, bytesIn: 0, bytesOut: 0 })
    this.#costs = { poll: cost(), longpoll: cost(), sse: cost(), ws: cost() }
    this.#onFinish = (message) => {
      const { response, socket } = message as { response: ServerResponse; socket: Socket }
      if (!this.#open.has(response)) this.#counted.set(socket, bytesOf(socket))
    }
    subscribe(FINISH, this.#onFinish)
  }

  /** A request for this transport has come in. It is open until its response, or the socket that it became, is. */
  begin(transport: Transport, request: IncomingMessage, response: ServerResponse): void {
    const cost = this.#costs[transport]
    cost.requests++
    cost.open++
    this.#open.set(response, { transport, socket: socketOf(request) })
    const end = () => this.#end(response)
    response.once('finish', end)
    // An upgraded socket is let go of by its response.
    const life = transport === 'ws' ? (socketOf(request) ?? response) : response
    life.once('close', end)
  }

  /** The hook that begins each request of a route. */
  hook(transport: Transport): onRequestHookHandler {
    return (request, reply, done) => {
      this.begin(transport, request.raw, reply.raw)
      done()
    }
  }

  /** Messages were handed to a client. */
  delivered(transport: Transport, messages: number): void {
    this.#costs[transport].messages += messages
  }

  #end(response: ServerResponse): void {
    const open = this.#open.get(response)
    if (open === undefined) return
    this.#open.delete(response)
    const cost = this.#costs[open.transport]
    cost.open--
    this.#count(cost, open.socket)
  }

  #count(cost: Cost, socket: Socket): void {
    // In a test by injection nothing goes over a wire.
    if (!(socket instanceof Socket)) return
    const before = this.#counted.get(socket) ?? NOTHING
    const now = bytesOf(socket)
    cost.bytesIn += now.bytesIn - before.bytesIn
    cost.bytesOut += now.bytesOut - before.bytesOut
    this.#counted.set(socket, now)
  }

  /** The costs up to now, those of what is still open included. */
  get costs(): Record<Transport, Cost> {
    for (const { transport, socket } of this.#open.values()) this.#count(this.#costs[transport], socket)
    return structuredClone(this.#costs)
  }

  close(): void {
    unsubscribe(FINISH, this.#onFinish)
  }
}

/**
 * Over HTTP/2 a request's socket is a stand-in, and so is its session's, which throws once the session has ended: the
 * real one is what its methods return.
 */
export function socketOf(request: IncomingMessage): Socket {
  const { stream } = request as { stream?: { session?: { socket: Socket } } }
  return stream?.session?.socket.off('close', socketOf) ?? request.socket
}
