import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { onRequestHookHandler } from 'fastify'
import { IndexedSet, NOWHERE } from '../../bus/indexed-set.ts'
import { Connection, type Guest } from './connection.ts'
import { FAST, type FastPath } from './fast-path.ts'

/**
 * The figures of one transport. Bytes are those on the socket, with headers and framing; over TLS, before encryption.
 */
export interface Cost {
  /** Open requests or connections. */
  open: number
  requests: number
  /** Messages delivered to clients. */
  messages: number
  bytesIn: number
  bytesOut: number
}

const FINISH = 'http.server.response.finish'

/** The meter's part of a connection, at the connection and at each of its metered responses. */
const METERED = Symbol('metered')
/**
 * The bytes of a socket that have been attributed: one connection may serve several transports and other routes.
 */
const COUNTED = Symbol('counted')

interface Counted {
  bytesIn: number
  bytesOut: number
}

type Answer = ServerResponse & { [METERED]?: Metered | undefined }
type MeteredConnection = Connection & { [METERED]?: Metered }
type Carrier = Socket & { [COUNTED]?: Counted }

/** Metered connections that are open. */
const connections = new IndexedSet<'indexInMeter', Metered>('indexInMeter')

/** @returns undefined for an injected request, which has no socket or the stub of one */
function countedOf(socket: Carrier | undefined): Counted | undefined {
  if (!(socket instanceof Socket)) return undefined
  socket[COUNTED] ??= { bytesIn: 0, bytesOut: 0 }
  return socket[COUNTED]
}

/** A response of another route is complete: its bytes belong to no transport. */
function skip(socket: Carrier): void {
  const counted = countedOf(socket)
  if (counted === undefined) return
  counted.bytesIn = socket.bytesRead
  counted.bytesOut = socket.bytesWritten - FAST.waitingBytes(socket)
}

/**
 * The open requests of a connection. Nothing is allocated for a request, and neither a request nor a response is kept
 * alive: an upgraded socket outlives them.
 */
class Metered implements Guest {
  indexAtConnection = NOWHERE
  indexInMeter = NOWHERE
  readonly socket: Socket
  readonly #counted: Counted | undefined
  readonly #path: FastPath
  /** The transport of each open request. HTTP/1.1 answers requests in their order. */
  readonly #open: Cost[] = []

  static of(request: IncomingMessage, connection: MeteredConnection, path: FastPath): Metered {
    connection[METERED] ??= new Metered(socketOf(request), connection, path)
    return connection[METERED]
  }

  private constructor(socket: Carrier, connection: Connection, path: FastPath) {
    this.socket = socket
    this.#path = path
    this.#counted = countedOf(socket)
    // The stub of an injected request's socket never closes.
    if (this.#counted !== undefined) connections.add(this)
    connection.add(this)
  }

  begin(cost: Cost): void {
    cost.open++
    this.#open.push(cost)
  }

  /** The oldest open request is complete. */
  end(): void {
    if (this.#open.length === 0) return
    this.count()
    this.#open.shift()!.open--
  }

  /** Attributes the bytes since the last call, without queued ones, to the oldest open request. */
  count(): void {
    const { socket } = this
    const counted = this.#counted
    const cost = this.#open[0]
    if (cost === undefined || counted === undefined) return
    const bytesIn = socket.bytesRead
    const bytesOut = socket.bytesWritten - this.#path.waitingBytes(socket)
    cost.bytesIn += bytesIn - counted.bytesIn
    cost.bytesOut += bytesOut - counted.bytesOut
    counted.bytesIn = bytesIn
    counted.bytesOut = bytesOut
  }

  clientGone(): void {
    connections.delete(this)
    while (this.#open.length > 0) this.end()
  }
}

function onFinish(message: unknown): void {
  const { response, socket } = message as { response: Answer; socket: Socket }
  if (!endOf(response)) skip(socket)
}

/**
 * Ends the metered request of a response, once: over a stream that is no socket, two events tell of its end.
 * @returns whether it had one
 */
function endOf(response: Answer): boolean {
  const metered = response[METERED]
  response[METERED] = undefined
  metered?.end()
  return metered !== undefined
}

/** The active meters. They share the counts of each socket. */
let meters = 0

/**
 * Counts the bytes of sockets. One connection may serve several transports and other routes: its bytes are split at the
 * end of each response.
 */
export class Meter {
  readonly #costs: Readonly<Record<string, Cost>>
  readonly #path: FastPath

  /** @param transports their names */
  constructor(transports: readonly string[], path: FastPath = FAST) {
    this.#path = path
    const cost = (): Cost => ({ open: 0, requests: 0, messages: 0, bytesIn: 0, bytesOut: 0 })
    this.#costs = Object.fromEntries(transports.map((name) => [name, cost()]))
    if (meters++ === 0) subscribe(FINISH, onFinish)
  }

  /** Opens a request of a transport. It is open until its response, or its upgraded socket, closes. */
  begin(transport: string, request: IncomingMessage, response: ServerResponse): void {
    const cost = this.#costs[transport]!
    cost.requests++
    const connection = Connection.of(request)
    // The client disconnected while a hook of the app ran.
    if (connection.gone) return
    const metered = Metered.of(request, connection, this.#path)
    metered.begin(cost)
    ;(response as Answer)[METERED] = metered
    // Node emits events only for its own responses.
    if (!(metered.socket instanceof Socket)) response.once('finish', () => endOf(response))
  }

  /** The hook that opens each request of a route. */
  hook(transport: string): onRequestHookHandler {
    const begin = this.begin.bind(this, transport)
    return function meterRequest(request, reply, done) {
      begin(request.raw, reply.raw)
      done()
    }
  }

  /** Counts delivered messages. */
  delivered(transport: string, messages: number): void {
    this.#costs[transport]!.messages += messages
  }

  /** The current figures, open requests included. */
  get costs(): Readonly<Record<string, Cost>> {
    for (const connection of connections.all()) connection.count()
    return structuredClone(this.#costs)
  }

  close(): void {
    if (--meters === 0) unsubscribe(FINISH, onFinish)
  }
}

/**
 * Over HTTP/2 the sockets of request and session are proxies, and the session's throws after its end. Only methods of
 * the proxy return the real socket.
 */
export function socketOf(request: IncomingMessage): Socket {
  const { stream } = request as { stream?: { session?: { socket: Socket } } }
  return stream?.session?.socket.off('close', socketOf) ?? request.socket
}
