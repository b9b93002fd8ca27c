import { credentials, type Failure, initOf } from './answer.ts'
import { isCursor } from './cursor.ts'
import { routeOf, type Settings } from './settings.ts'
import { later, type Timer } from './time.ts'
import type { Credentials, End, GapReason, Message, Transport } from './types.ts'

/** What a link tells; nothing once it is closed. */
export interface LinkListener {
  /** How much longer than usual silence is borne. */
  readonly slack: number
  /** The server has answered. @param cursor the place that it reads from, where it says so */
  ready(link: Link, cursor?: string): void
  /** All that stood behind its place for now has been told. */
  caughtUp(link: Link): void
  /** @param joining it belongs to a replay, and moves no place */
  message(link: Link, message: Message, joining?: boolean): void
  /** All up to this place has been told. */
  place(link: Link, cursor: string): void
  /** @returns milliseconds to wait before the next question */
  gap(link: Link, reason: GapReason, cursor: string, channel?: string): number
  /** @param joining it belongs to a replay, and moves no place */
  ended(link: Link, end: End, joining?: boolean): void
  /** Something could not be read, and is stepped over. */
  skipped(link: Link, error: Error): void
  /** It has failed, and is closed. Said once. */
  failed(link: Link, failure: Failure): void
}

/** A message as the server writes it. */
export interface Envelope extends Message {
  readonly encoding?: string
  /** On a page: the channel has ended with it. */
  readonly end?: boolean
}

export const FOREIGN_ANSWER: Failure = {
  message: 'the answer is none of fastify-tidings',
  code: 'ERR_FOREIGN',
}

/** One connection over one transport. The five wear this face; what they have in common is here. */
export abstract class Link {
  readonly settings: Settings
  readonly transport: Transport
  readonly channels: readonly string[]
  /** The last place that it has told. */
  at: string
  /** Once it has settled: the place that it has to reach before it may carry. */
  goal: string | undefined
  /** When the server has answered; 0 before. */
  since = 0
  closed = false
  readonly listener: LinkListener
  protected auth: Credentials = {}
  /** One a fetch: a signal that many share keeps what each has hung on it. */
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

  /** It can't fail before this has returned. */
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

  /** There is reason to doubt that it is alive. @returns whether it can find out by itself */
  check(): boolean {
    return false
  }

  get bufferedAmount(): number {
    return 0
  }

  /** @param _failed whether nobody is there any more to say goodbye to */
  close(_failed?: boolean): void {
    clearTimeout(this.#timer)
    this.grace()
    this.closed = true
    this.#abort?.abort()
  }

  /** Calls after a while, unless it is closed before. There is one such call; without arguments there is none. */
  grace(ms?: number, then?: () => void): void {
    clearTimeout(this.#grace)
    if (then) this.#grace = later(then, ms!)
  }

  protected after(ms: number, then: () => void): void {
    clearTimeout(this.#timer)
    if (!this.closed) this.#timer = later(then, ms)
  }

  /** It is taken for dead unless this is called again, or another wait begun. */
  protected within(ms: number): void {
    this.after(ms, () => this.silent(ms))
  }

  protected silent(ms: number): void {
    this.fail({ message: `nothing came within ${ms} ms`, silent: true, weak: !!this.since })
  }

  /** Bytes have come. */
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

  /** What a stream or a socket says. @param type none for a message */
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

  /** An end carries data, or none. */
  protected end(envelope: Omit<Envelope, 'time'>, joining?: boolean): void {
    const end = this.#open(envelope)
    if (end) this.listener.ended(this, end, joining)
  }

  /** What can't be read is told, and stepped over. */
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
    this.listener.skipped(this, new Error(`A message can't be read and is left out: ${error}`))
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
    // Some caches give one answer to all that ask the same, whatever it says of itself.
    const url = this.url(route, ...more, ['_', Math.random()])
    return this.settings.fetch(url, initOf(this.settings, this.auth, this.#abort.signal))
  }

  /** Reads a body as it comes: each part of it is a sign of life. */
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
