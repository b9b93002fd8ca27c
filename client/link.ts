import { credentials, type Failure, initOf } from './answer.ts'
import { isCursor } from './cursor.ts'
import { routeOf, type Settings } from './settings.ts'
import { later, type Timer } from './time.ts'
import type { Credentials, End, GapReason, Message, Transport } from './types.ts'

/** Receives the events of a link. A closed link emits none. */
export interface LinkListener {
  /** Factor by which timeouts are longer than configured, 1 to 16. */
  readonly slack: number
  /** The server has answered. @param cursor the position it reads from, if the answer has one */
  ready(link: Link, cursor?: string): void
  /** The link has delivered everything up to the head of the log. */
  caughtUp(link: Link): void
  /** @param joining the message belongs to the replay of one channel and does not move the position */
  message(link: Link, message: Message, joining?: boolean): void
  /** Everything up to this cursor has been delivered. */
  place(link: Link, cursor: string): void
  /** @returns milliseconds to wait before the next request */
  gap(link: Link, reason: GapReason, cursor: string, channel?: string): number
  /** @param joining the end belongs to the replay of one channel and does not move the position */
  ended(link: Link, end: End, joining?: boolean): void
  /** An unreadable message was skipped. */
  skipped(link: Link, error: Error): void
  /** The link failed and is closed. Called once. */
  failed(link: Link, failure: Failure): void
}

/** The wire format of a message. */
export interface Envelope extends Message {
  readonly encoding?: string
  /** Only in a page: the channel ended with this message. */
  readonly end?: boolean
}

export const FOREIGN_ANSWER: Failure = {
  message: 'not an answer of fastify-tidings',
  code: 'ERR_FOREIGN',
}

/** Base class of the five links. A link is one connection over one transport. */
export abstract class Link {
  readonly settings: Settings
  readonly transport: Transport
  readonly channels: readonly string[]
  /** Cursor of the last event delivered. */
  at: string
  /** Cursor that a probing link must reach to take over; undefined until it has caught up. */
  goal: string | undefined
  /** Time of the server's first answer, in milliseconds since 1970; 0 before. */
  since = 0
  closed = false
  readonly listener: LinkListener
  protected auth: Credentials = {}
  /** One for each fetch: a shared signal would keep the listeners of every fetch. */
  #abort: AbortController | undefined
  #timer: Timer
  #grace: Timer

  constructor(
    settings: Settings,
    transport: Transport,
    channels: readonly string[],
    at: string,
    listener: LinkListener,
  ) {
    this.settings = settings
    this.transport = transport
    this.channels = channels
    this.at = at
    this.listener = listener
  }

  abstract run(): Promise<void> | void

  /** Does not fail before it has returned. */
  async start(): Promise<void> {
    try {
      await null
      if (this.closed) return
      this.alive()
      this.auth = await credentials(this.settings)
      if (!this.closed) await this.run()
    } catch (error) {
      this.fail({ message: String(error) })
    }
  }

  /** Checks whether the connection is alive. @returns false if the transport has no check */
  check(): boolean {
    return false
  }

  get bufferedAmount(): number {
    return 0
  }

  /** @param _failed whether the connection is lost, so that a closing handshake is pointless */
  close(_failed?: boolean): void {
    clearTimeout(this.#timer)
    this.grace()
    this.closed = true
    this.#abort?.abort()
  }

  /** Schedules the one grace call; replaces an earlier one. Without arguments, cancels it. */
  grace(ms?: number, then?: () => void): void {
    clearTimeout(this.#grace)
    if (then) this.#grace = later(then, ms!)
  }

  protected after(ms: number, then: () => void): void {
    clearTimeout(this.#timer)
    if (!this.closed) this.#timer = later(then, ms)
  }

  /** Fails the link after `ms` milliseconds, unless `within` or `after` is called again. */
  protected within(ms: number): void {
    this.after(ms, () => this.silent(ms))
  }

  protected silent(ms: number): void {
    this.fail({ message: `nothing came within ${ms} ms`, silent: true, weak: !!this.since })
  }

  /** Restarts the silence timer. */
  protected alive(): void {
    const { slack } = this.listener
    this.within(this.since ? this.settings.silence * slack : this.settings.probe * Math.min(slack, 4))
  }

  protected fail(failure: Failure): void {
    if (this.closed) return
    this.close(true)
    this.listener.failed(this, failure)
  }

  protected ready(cursor?: string): void {
    if (this.since || this.closed) return
    this.since = Date.now()
    this.listener.ready(this, cursor)
  }

  /** Handles one frame or event. @param type undefined for a message */
  protected take(type: string | undefined, frame: Envelope & { reason: GapReason }): void {
    const { cursor, reason } = Object(frame) as typeof frame
    if (this.closed) return
    if (!this.since && (type !== 'ready' || !isCursor(cursor))) this.fail(FOREIGN_ANSWER)
    else if (!type) this.message(frame)
    else if (!isCursor(cursor)) this.skip(type)
    else if (type === 'ready') this.ready(cursor)
    else if (type === 'gap') this.listener.gap(this, reason, cursor)
    else if (type === 'end') this.end(frame)
  }

  protected message(envelope: Envelope, joining?: boolean): void {
    const message = !this.closed && this.#open(envelope, true)
    if (message) this.listener.message(this, message, joining)
  }

  /** The data of an end is optional. */
  protected end(envelope: Omit<Envelope, 'time'>, joining?: boolean): void {
    const end = this.#open(envelope)
    if (end) this.listener.ended(this, end, joining)
  }

  /** Reports and skips an unreadable message. */
  #open(envelope: object, filled?: boolean): Message | undefined {
    const { encoding, cursor, channel, time, data } = Object(envelope) as Envelope
    try {
      if ((filled && data === undefined) || !channel || !isCursor(cursor)) throw 'members are missing'
      const read = encoding ? Uint8Array.from(atob(data as string), (c) => c.charCodeAt(0)) : data
      return { cursor, channel, time, data: read }
    } catch (error) {
      this.skip(error, cursor)
    }
  }

  protected skip(error: unknown, cursor?: unknown): void {
    if (this.closed) return
    this.listener.skipped(this, new Error(`unreadable message: ${error}`))
    if (isCursor(cursor) && !this.closed) this.listener.place(this, cursor)
  }

  protected url(route: string, ...more: [string, unknown][]): string {
    return routeOf(this.settings, route, [
      ...this.channels.map((channel): [string, unknown] => ['channel', channel]),
      ['cursor', this.at],
      ...more,
    ])
  }

  protected get(route: string, ...more: [string, unknown][]): Promise<Response> {
    this.#abort = new AbortController()
    // Some caches ignore Cache-Control and share one answer between all requests for a URL.
    const url = this.url(route, ...more, ['_', Math.random()])
    return this.settings.fetch(url, initOf(this.settings, this.auth, this.#abort.signal))
  }

  /** Reads a body chunk by chunk. Each chunk restarts the silence timer. */
  protected async read({ body }: Response, take: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder()
    const reader = body!.getReader()
    for (;;) {
      const { value, done } = await reader.read()
      if (done || this.closed) return
      this.alive()
      take(decoder.decode(value, { stream: true }))
    }
  }
}
