import { connect, type Socket } from 'node:net'
import { type Adapter, requestText } from '../adapters/adapter.ts'
import { now } from '../clock.ts'
import { payloadOf } from '../payload.ts'
import { publishing } from '../publishing.ts'
import { Answers, isLast } from '../readers/answers.ts'
import { readerOf } from '../readers/open.ts'
import type { Common, Kind, Reader, Target } from '../readers/reader.ts'

/** A load that goes as fast as the server does: a closed loop, to heat it and to find what it costs when it is hot. */

export interface DrivePlan {
  readonly target: Target
  /** Undefined: nobody reads, and a unit is a publish. Of polls it is a request, of the others a delivery. */
  readonly kind: Kind | undefined
  /** A server that is none of ours, by its adapter. */
  readonly adapter?: string | undefined
  readonly subscribers: number
  readonly payload: number
  /** Publishes to a channel that nobody reads, with each that is read: the route of the publisher is to be hot, too. */
  readonly aside: number
}

const CHANNEL = 'bench-drive'
const ASIDE = 'bench-aside'
/** Readers that are opened at a time. */
const OPEN_AT_ONCE = 100
/** Publishes at once where nobody reads. */
const AT_ONCE = 8
/** Milliseconds between two messages to those that poll, so that some bring one. */
const NOW_AND_THEN = 20

export class Drive {
  readonly #plan: DrivePlan
  readonly #adapter: Adapter | undefined
  readonly #readers: Reader[] = []
  readonly #common: Common
  readonly #open: Promise<void>
  #socket!: Socket
  /** What has been published and has no answer yet. */
  #outstanding: string[] = []
  #published = 0
  #delivered = 0
  #answered = 0
  #until = 0
  #done: () => void = () => {}
  #fail: (error: Error) => void = () => {}
  #stopped = false

  constructor(plan: DrivePlan, adapter?: Adapter) {
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

  /** Opens the readers, as many at a time as may wait to be accepted. */
  async #read(kind: Kind | undefined, subscribers: number): Promise<void> {
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

  /** Goes on until so many more units are done. @returns how many were, and the seconds that they took */
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

  /** What comes next, or the end. */
  #step(): void {
    const { kind, aside } = this.#plan
    if (this.#units >= this.#until) {
      // Those that still have to be answered would count for what comes then.
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
    const exchange = this.#adapter?.publish(body) ?? publishing(target, channel, body)
    const text = requestText(exchange, `${target.host}:${target.port}`)
    this.#outstanding.push(text)
    if (this.#socket.writable) this.#socket.write(text)
    else this.#connect()
  }

  /** Connects to publish, again where the server has closed the connection. What has no answer goes out again. */
  #connect(): void {
    const { host, port } = this.#plan.target
    this.#socket?.destroy()
    const socket = connect({ host, port, noDelay: true })
    this.#socket = socket
    let fresh = true
    const answers = new Answers(({ status, head }) => {
      if (socket !== this.#socket) return
      fresh = false
      this.#outstanding.shift()
      this.#answered++
      if (status < 200 || status > 299) this.#fail(new Error(`/publish answered ${status}`))
      if (isLast(head)) this.#connect()
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
    // Polls go on by themselves; a message now and then gives them something to bring.
    else if (kind === 'poll') setTimeout(() => this.#step(), NOW_AND_THEN)
  }
}
