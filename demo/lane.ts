import { Agent } from 'node:http'
import { connect, type NetConnectOpts } from 'node:net'
import { performance } from 'node:perf_hooks'
import { DelayedSocket, type Direction } from './delayed-socket.ts'
import { type Kind, type Piece, Transcript } from './transcript.ts'

/** What a watcher is told: a piece of the traffic, or that a connection opened or closed. */
export interface Told {
  readonly lane: string
  readonly connection: number
  readonly kind: Kind | 'open' | 'close'
  /** Milliseconds since 1970, with their fractions: when it left one end. */
  readonly at: number
  /** Milliseconds that it is under way. */
  readonly delay: number
  readonly direction?: Direction
  readonly exchange?: number
  readonly size?: number
  /** The first bytes, base64. */
  readonly bytes?: string
}

/** What a lane's connections have carried, in all. */
export interface Totals {
  requests: number
  /** Answers to them that brought no message. */
  empty: number
  up: number
  down: number
}

export interface Watcher {
  told(what: Told): void
}

/** Connections to the app at once, and requests that wait for one: a browser opens six. */
const MOST = { connections: 8, requests: 32 }

/** A page of messages without a message. */
const EMPTY_PAGE = /^\{"cursor":"[^"]*","messages":\[\]/

/**
 * One reader's way to the app: connections of its own, so that their bytes are what its transport costs; with a delay
 * that can be set, and a network that can be cut.
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
  /** The browser's ends. */
  readonly #outer = new Set<{ destroy(): void }>()

  constructor(id: string) {
    this.id = id
    this.agent = new Agent({ keepAlive: true, maxSockets: MOST.connections })
    // In place of the agent's own: node:http takes any stream that behaves as a socket does.
    Object.assign(this.agent, { createConnection: (options: NetConnectOpts) => this.open(options) })
  }

  get isCut(): boolean {
    return this.#cut
  }

  /** Whether no more may be asked at once. */
  get full(): boolean {
    return this.#outer.size >= MOST.requests || this.#wires.size > MOST.connections
  }

  /** A connection to the app. */
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

  /** The browser's end of something: destroyed with the lane, or when it is cut. */
  hold(outer: { destroy(): void }): () => void {
    this.#outer.add(outer)
    return () => this.#outer.delete(outer)
  }

  /** Both ends are gone at once, and nothing gets through until it is restored. */
  cut(): void {
    this.#cut = true
    for (const outer of this.#outer) outer.destroy()
    for (const wire of this.#wires) wire.destroy()
  }

  restore(): void {
    this.#cut = false
  }

  /** What is under way arrives now, and so does all that follows. */
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
