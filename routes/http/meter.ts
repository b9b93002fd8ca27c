import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { onRequestHookHandler } from 'fastify'
import { IndexedSet, NOWHERE } from '../../bus/indexed-set.ts'
import { Connection, type Guest } from './connection.ts'
import { FAST, type FastPath } from './fast-path.ts'

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

const FINISH = 'http.server.response.finish'

/** The request that a response is for, where it is metered. */
const OPEN = Symbol('open')
/**
 * What of a socket has been counted, or was not ours: one connection may serve several transports, and other routes.
 */
const COUNTED = Symbol('counted')

type Answer = ServerResponse & { [OPEN]?: Open }
type Counted = Socket & { [COUNTED]?: { bytesIn: number; bytesOut: number } }

/**
 * Of a socket's bytes: those since the last time, without what is still queued. They are put down to a cost, if any.
 */
function count(socket: Counted, cost: Cost | undefined, path: FastPath): void {
  // In a test by injection nothing goes over a wire.
  if (!(socket instanceof Socket)) return
  const bytesIn = socket.bytesRead
  const bytesOut = socket.bytesWritten - path.waitingBytes(socket)
  const counted = socket[COUNTED]
  if (cost !== undefined) {
    cost.bytesIn += bytesIn - (counted?.bytesIn ?? 0)
    cost.bytesOut += bytesOut - (counted?.bytesOut ?? 0)
  }
  if (counted === undefined) socket[COUNTED] = { bytesIn, bytesOut }
  else {
    counted.bytesIn = bytesIn
    counted.bytesOut = bytesOut
  }
}

/** A request that is open. It keeps neither the request nor its response, which an upgraded socket outlives. */
class Open implements Guest {
  indexAtConnection = NOWHERE
  indexInMeter = NOWHERE
  readonly cost: Cost
  readonly socket: Socket
  readonly #connection: Connection
  readonly #path: FastPath
  readonly #all: IndexedSet<'indexInMeter', Open>

  constructor(
    cost: Cost,
    socket: Socket,
    connection: Connection,
    all: IndexedSet<'indexInMeter', Open>,
    path: FastPath,
  ) {
    this.cost = cost
    this.#path = path
    this.socket = socket
    this.#connection = connection
    this.#all = all
    cost.open++
    connection.add(this)
    all.add(this)
  }

  /** Its answer has gone out. */
  end(): void {
    if (this.indexInMeter === NOWHERE) return
    this.#all.delete(this)
    this.#connection.delete(this)
    this.cost.open--
    count(this.socket, this.cost, this.#path)
  }

  clientGone(): void {
    this.end()
  }
}

function onFinish(message: unknown): void {
  const { response, socket } = message as { response: Answer; socket: Socket }
  const open = response[OPEN]
  if (open === undefined) count(socket, undefined, FAST)
  else open.end()
}

/** Meters that are at work: they share what they know of a socket. */
let meters = 0

/**
 * Counts what goes over the sockets. One connection may serve several transports, and routes that are not ours: its
 * bytes are split at each response's end.
 */
export class Meter {
  readonly #costs: Readonly<Record<string, Cost>>
  readonly #open = new IndexedSet<'indexInMeter', Open>('indexInMeter')
  readonly #path: FastPath

  /** @param transports their names */
  constructor(transports: readonly string[], path: FastPath = FAST) {
    this.#path = path
    const cost = (): Cost => ({ open: 0, requests: 0, messages: 0, bytesIn: 0, bytesOut: 0 })
    this.#costs = Object.fromEntries(transports.map((name) => [name, cost()]))
    if (meters++ === 0) subscribe(FINISH, onFinish)
  }

  /** A request for this transport has come in. It is open until its response, or the socket that it became, is. */
  begin(transport: string, request: IncomingMessage, response: ServerResponse): void {
    const cost = this.#costs[transport]!
    cost.requests++
    const connection = Connection.of(request)
    // It has gone while a hook of the app's was asked.
    if (connection.gone) return
    const socket = socketOf(request)
    const open = new Open(cost, socket, connection, this.#open, this.#path)
    ;(response as Answer)[OPEN] = open
    // Node tells of its own responses alone.
    if (!(socket instanceof Socket)) response.once('finish', () => open.end())
  }

  /** The hook that begins each request of a route. */
  hook(transport: string): onRequestHookHandler {
    const begin = this.begin.bind(this, transport)
    return function meterRequest(request, reply, done) {
      begin(request.raw, reply.raw)
      done()
    }
  }

  /** Messages were handed to a client. */
  delivered(transport: string, messages: number): void {
    this.#costs[transport]!.messages += messages
  }

  /** The costs up to now, those of what is still open included. */
  get costs(): Readonly<Record<string, Cost>> {
    for (const { cost, socket } of this.#open.all()) count(socket, cost, this.#path)
    return structuredClone(this.#costs)
  }

  close(): void {
    if (--meters === 0) unsubscribe(FINISH, onFinish)
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
