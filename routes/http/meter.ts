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

/** The metered request of a response. */
const OPEN = Symbol('open')
/**
 * The bytes of a socket that have been attributed: one connection may serve several transports and other routes.
 */
const COUNTED = Symbol('counted')

type Answer = ServerResponse & { [OPEN]?: Open }
type Counted = Socket & { [COUNTED]?: { bytesIn: number; bytesOut: number } }

/**
 * Attributes the bytes since the last call, without queued ones, to a transport or to none.
 */
function count(socket: Counted, cost: Cost | undefined, path: FastPath): void {
  // An injected request has no socket.
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

/** An open request. It keeps neither request nor response alive, since an upgraded socket outlives them. */
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

  /** The response is complete. */
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

/** The active meters. They share the counts of each socket. */
let meters = 0

/**
 * Counts the bytes of sockets. One connection may serve several transports and other routes: its bytes are split at the
 * end of each response.
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

  /** Opens a request of a transport. It is open until its response, or its upgraded socket, closes. */
  begin(transport: string, request: IncomingMessage, response: ServerResponse): void {
    const cost = this.#costs[transport]!
    cost.requests++
    const connection = Connection.of(request)
    // The client disconnected while a hook of the app ran.
    if (connection.gone) return
    const socket = socketOf(request)
    const open = new Open(cost, socket, connection, this.#open, this.#path)
    ;(response as Answer)[OPEN] = open
    // Node emits events only for its own responses.
    if (!(socket instanceof Socket)) response.once('finish', () => open.end())
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
    for (const { cost, socket } of this.#open.all()) count(socket, cost, this.#path)
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
