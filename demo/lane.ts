import { Agent } from 'node:http'
import { connect, type NetConnectOpts } from 'node:net'
import { performance } from 'node:perf_hooks'
import { DelayedSocket, type Direction } from './delayed-socket.ts'
import { type Kind, type Piece, Transcript } from './transcript.ts'

/** An event for watchers: a piece of the traffic, or a connection that opened or closed. */
export interface Told {
  readonly lane: string
  readonly connection: number
  readonly kind: Kind | 'open' | 'close'
  /** When it left one end, in milliseconds since 1970 with fractions. */
  readonly at: number
  /** Milliseconds in transit. */
  readonly delay: number
  readonly direction?: Direction
  readonly exchange?: number
  readonly size?: number
  /** The first bytes, in Base64. */
  readonly bytes?: string
}

/** Total traffic of a lane's connections. */
export interface Totals {
  requests: number
  /** Responses without a message. */
  empty: number
  up: number
  down: number
}

export interface Watcher {
  told(what: Told): void
}

/** Maximum connections to the app, and queued requests. A browser opens six connections. */
const MOST = { connections: 8, requests: 32 }

/** A page without messages. */
const EMPTY_PAGE = /^\{"cursor":"[^"]*","messages":\[\]/

/**
 * The network between one client and the app. It has connections of its own, so that their bytes are the cost of one
 * transport. The delay can be set, and the network can be cut.
 */
export class Lane {
  readonly id: string
  readonly totals: Totals = { requests: 0, empty: 0, up: 0, down: 0 }
  readonly watchers = new Set<Watcher>()
  readonly agent: Agent
  delay = 0
  #cut = false
  #connections = 0
  readonly #wires = new Set<DelayedSocket>()
  /** The browser's sockets. */
  readonly #outer = new Set<{ destroy(): void }>()

  constructor(id: string) {
    this.id = id
    this.agent = new Agent({ keepAlive: true, maxSockets: MOST.connections })
    // Replaces the agent's method. node:http accepts any stream that behaves like a socket.
    Object.assign(this.agent, { createConnection: (options: NetConnectOpts) => this.open(options) })
  }

  get isCut(): boolean {
    return this.#cut
  }

  /** Whether the lane accepts no further request. */
  get full(): boolean {
    return this.#outer.size >= MOST.requests || this.#wires.size > MOST.connections
  }

  /** Opens a connection to the app. */
  open(options: NetConnectOpts): DelayedSocket {
    const connection = ++this.#connections
    const transcript = new Transcript((piece) => this.#piece(connection, piece))
    const lane = this
    const wire = new DelayedSocket(connect(options), {
      get delay() {
        return lane.delay
      },
      seen(direction, bytes) {
        lane.totals[direction] += bytes.length
        transcript.read(direction, bytes)
      },
    })
    this.#wires.add(wire)
    this.#tell({ connection, kind: 'open' })
    wire.once('close', () => {
      this.#wires.delete(wire)
      this.#tell({ connection, kind: 'close' })
    })
    return wire
  }

  #piece(connection: number, { bytes, ...piece }: Piece): void {
    const { direction, kind } = piece
    if (direction === 'up' && (kind === 'request' || kind === 'upgrade')) this.totals.requests++
    if (direction === 'down' && isEmpty(kind, bytes)) this.totals.empty++
    this.#tell({ connection, ...piece, bytes: bytes.toString('base64') })
  }

  #tell(what: Omit<Told, 'lane' | 'at' | 'delay'>): void {
    const at = performance.timeOrigin + performance.now()
    for (const watcher of this.watchers) watcher.told({ lane: this.id, at, delay: this.delay, ...what })
  }

  /** Adds a socket of the browser. It is destroyed with the lane, or when the lane is cut. */
  hold(outer: { destroy(): void }): () => void {
    this.#outer.add(outer)
    return () => this.#outer.delete(outer)
  }

  /** Destroys both ends. Nothing passes until the lane is restored. */
  cut(): void {
    this.#cut = true
    for (const outer of this.#outer) outer.destroy()
    for (const wire of this.#wires) wire.destroy()
  }

  restore(): void {
    this.#cut = false
  }

  /** Delivers data in transit, and all later data, without delay. */
  hurry(): void {
    this.delay = 0
    for (const wire of this.#wires) wire.hurry()
  }

  close(): void {
    this.cut()
    this.agent.destroy()
  }
}

function isEmpty(kind: Kind, bytes: Buffer): boolean {
  if (kind === 'response') return /^HTTP\/1\.1 (?:204|304) /.test(bytes.toString('latin1', 0, 16))
  return kind === 'body' && EMPTY_PAGE.test(bytes.toString('latin1', 0, 128))
}
