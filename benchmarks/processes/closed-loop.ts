import { connect, type Socket } from 'node:net'
import { type Adapter, requestText } from '../adapters/adapter.ts'
import { now } from '../clock.ts'
import { payloadOf } from '../payload.ts'
import { publishRequest } from '../publish-request.ts'
import { readerOf } from '../readers/open.ts'
import type { Endpoint, Reader, ReaderContext, Transport } from '../readers/reader.ts'
import { closesConnection, ResponseParser } from '../readers/response-parser.ts'

/** A closed loop at maximum speed, to warm a server up and to measure its CPU time afterwards. */

export interface ClosedLoopPlan {
  readonly target: Endpoint
  /** Undefined: no readers, and a unit is a publish. For polling, a unit is a request; otherwise a delivery. */
  readonly kind: Transport | undefined
  /** The adapter of a server that is not part of this package. */
  readonly adapter?: string | undefined
  readonly subscribers: number
  readonly payload: number
  /** Publishes to a channel without readers, per publish with readers. They warm up the publish route. */
  readonly aside: number
}

const CHANNEL = 'bench-drive'
const ASIDE = 'bench-aside'
/** Readers to open concurrently. */
const OPEN_AT_ONCE = 100
/** Concurrent publishes without readers. */
const AT_ONCE = 8
/** Milliseconds between messages to polling readers, so that some responses carry a message. */
const NOW_AND_THEN = 20

export class ClosedLoop {
  readonly #plan: ClosedLoopPlan
  readonly #adapter: Adapter | undefined
  readonly #readers: Reader[] = []
  readonly #common: ReaderContext
  readonly #open: Promise<void>
  #socket!: Socket
  /** Publishes without a response yet. */
  #outstanding: string[] = []
  #published = 0
  #delivered = 0
  #answered = 0
  #until = 0
  #done: () => void = () => {}
  #fail: (error: Error) => void = () => {}
  #stopped = false

  constructor(plan: ClosedLoopPlan, adapter?: Adapter) {
    this.#plan = plan
    this.#adapter = adapter
    const { target, kind, subscribers } = plan
    this.#common = {
      target,
      profile: 'minimal',
      interval: 0,
      pause: true,
      wait: 25,
      prompt: true,
      tally: { requests: 0, empty: 0, connections: 0, deliveries: 0, envelopes: 0, up: 0, down: 0 },
      cycles: [],
      open: new Set(),
      fault: (text) => this.#fail(new Error(text)),
      deliver: () => this.#deliver(),
    }
    this.#connect()
    this.#open = new Promise<void>((resolve, reject) => {
      this.#fail = reject
      this.#read(kind, subscribers).then(resolve, reject)
    })
    this.#open.catch(() => {})
  }

  /** Opens the readers in batches that fit in the accept queue. */
  async #read(kind: Transport | undefined, subscribers: number): Promise<void> {
    for (let i = 0; kind !== undefined && i < subscribers; i++) {
      this.#readers.push(readerOf(kind, this.#adapter, this.#common, i, CHANNEL, 0))
      if (i % OPEN_AT_ONCE === 0) await this.#readers[i]!.ready
    }
    await Promise.all(this.#readers.map(({ ready }) => ready))
  }

  get #units(): number {
    const { kind } = this.#plan
    if (kind === undefined) return this.#answered
    return kind === 'poll' ? this.#common.tally.requests : this.#delivered
  }

  /** Continues until `count` more units are done. @returns the number of units, and the seconds that they took */
  async run(count: number): Promise<{ units: number; seconds: number }> {
    await this.#open
    const before = this.#units
    const begun = now()
    this.#until = before + count
    await new Promise<void>((resolve, reject) => {
      this.#done = resolve
      this.#fail = reject
      this.#step()
    })
    return { units: this.#units - before, seconds: (now() - begun) / 1e6 }
  }

  stop(): void {
    this.#stopped = true
    for (const reader of this.#readers) reader.stop()
    this.#socket.destroy()
  }

  /** Publishes the next message, or stops. */
  #step(): void {
    const { kind, aside } = this.#plan
    if (this.#units >= this.#until) {
      // Outstanding publishes would count as the next run's.
      if (this.#outstanding.length === 0) this.#done()
      return
    }
    if (kind === undefined) {
      while (this.#outstanding.length < AT_ONCE) this.#publish(ASIDE)
      return
    }
    this.#publish(CHANNEL)
    for (let i = 0; i < aside; i++) this.#publish(ASIDE)
  }

  #deliver(): void {
    this.#delivered++
    const { kind, subscribers } = this.#plan
    if (kind !== 'poll' && this.#delivered % subscribers === 0) this.#step()
  }

  #publish(channel: string): void {
    const { target, payload } = this.#plan
    const body = payloadOf(this.#published++ % 1e8, payload)
    const exchange = this.#adapter?.publish(body) ?? publishRequest(target, channel, body)
    const text = requestText(exchange, `${target.host}:${target.port}`)
    this.#outstanding.push(text)
    if (this.#socket.writable) this.#socket.write(text)
    else this.#connect()
  }

  /**
   * Connects to publish, and reconnects when the server closes the connection. Publishes without a response are
   * repeated.
   */
  #connect(): void {
    const { host, port } = this.#plan.target
    this.#socket?.destroy()
    const socket = connect({ host, port, noDelay: true })
    this.#socket = socket
    let fresh = true
    const answers = new ResponseParser(({ status, head }) => {
      if (socket !== this.#socket) return
      fresh = false
      this.#outstanding.shift()
      this.#answered++
      if (status < 200 || status > 299) this.#fail(new Error(`/publish returned ${status}`))
      if (closesConnection(head)) this.#connect()
      this.#answer()
    })
    socket.on('data', (part) => answers.take(part.toString('latin1')))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (socket !== this.#socket || this.#stopped) return
      if (fresh && this.#outstanding.length > 0) this.#fail(new Error('/publish closed the connection'))
      else if (this.#outstanding.length > 0) this.#connect()
    })
    for (const text of this.#outstanding) socket.write(text)
  }

  #answer(): void {
    const { kind } = this.#plan
    if (kind === undefined || this.#units >= this.#until) this.#step()
    // Polling needs no publish to continue; an occasional message fills some responses.
    else if (kind === 'poll') setTimeout(() => this.#step(), NOW_AND_THEN)
  }
}
