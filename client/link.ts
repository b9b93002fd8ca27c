import { routeOf, type Settings } from './settings.ts'
import type { Fault, GapReason, Message } from './types.ts'

/** What a link tells; nothing once it is closed. */
export interface Hearer {
  /** It carries: said once, before all else. */
  opened(): void
  message(message: Message): void
  /** All up to this place has been told. */
  place(cursor: string): void
  gap(reason: GapReason, cursor: string): void
  /** It has failed, and is closed. Said once. */
  down(fault: Fault): void
}

/** A message as the server writes it. */
export interface Envelope extends Message {
  readonly encoding?: string
}

/** One connection over one transport. The four wear this face; what they have in common is here. */
export abstract class Link {
  readonly settings: Settings
  /** Where it starts. */
  readonly cursor: string
  /** When it began to carry; 0 before. */
  since = 0
  closed = false
  readonly #hearer: Hearer
  /** One a fetch: a signal that many share keeps what each has hung on it. */
  #abort: AbortController | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(settings: Settings, cursor: string, hearer: Hearer) {
    this.settings = settings
    this.cursor = cursor
    this.#hearer = hearer
  }

  abstract run(): Promise<void> | void

  /** It can't fail before this has returned. */
  async start(): Promise<void> {
    try {
      await null
      if (this.closed) return
      this.within(this.settings.probe)
      await this.run()
    } catch (error) {
      this.fail({ message: `${error}` })
    }
  }

  /** Sends a publish frame, where there is a socket that can take it. */
  publish(
    _channel: string,
    _data: unknown,
    _key: string | undefined,
  ): Promise<{ cursor: string }> | undefined {
    return undefined
  }

  /** There is reason to doubt that it is alive. */
  check(): void {}

  get bufferedAmount(): number {
    return 0
  }

  /** @param _failed whether nobody is there any more to say goodbye to */
  close(_failed?: boolean): void {
    clearTimeout(this.#timer)
    this.closed = true
    this.#abort?.abort()
  }

  protected after(ms: number, then: () => void): void {
    clearTimeout(this.#timer)
    if (!this.closed) this.#timer = setTimeout(then, ms)
  }

  /** It is taken for dead unless this is called again, or another wait begun. */
  protected within(ms: number): void {
    this.after(ms, () => this.fail({ message: `nothing came within ${ms} ms` }))
  }

  protected fail(fault: Fault): void {
    if (this.closed) return
    this.close(true)
    this.#hearer.down(fault)
  }

  protected opened(): void {
    if (this.since || this.closed) return
    this.since = Date.now()
    this.#hearer.opened()
  }

  /** What a stream or a socket says. @param type none for a message */
  protected take(type: string | undefined, data: Envelope & { reason: GapReason }): void {
    if (this.closed) return
    if (type === 'ready') this.opened()
    if (type === 'gap') this.gap(data.reason, data.cursor)
    else if (type) this.place(data.cursor)
    else this.message(data)
  }

  protected message({ encoding, ...message }: Envelope): void {
    if (this.closed) return
    const data = encoding
      ? Uint8Array.from(atob(message.data as string), (c) => c.charCodeAt(0))
      : message.data
    this.#hearer.message({ ...message, data })
  }

  protected place(cursor: string): void {
    if (!this.closed) this.#hearer.place(cursor)
  }

  protected gap(reason: GapReason, cursor: string): void {
    if (!this.closed) this.#hearer.gap(reason, cursor)
  }

  protected url(route: string, cursor: string, ...more: [string, number][]): string {
    const { channels } = this.settings
    return routeOf(this.settings, route, [
      ...channels.map((channel): [string, string] => ['channel', channel]),
      ['cursor', cursor],
      ...more,
    ])
  }

  protected get(url: string): Promise<Response> {
    // A browser lines up equal requests that it might store: two tabs would wait for each other.
    this.#abort = new AbortController()
    const { signal } = this.#abort
    const init = { ...this.settings.request, cache: 'no-store', signal } as RequestInit
    return this.settings.fetch(url, init)
  }
}

/** What an answer that is no success means. */
export function faultOf({ status, headers }: Response): Fault {
  const after = headers.get('retry-after')
  return {
    message: `the server answered ${status}`,
    code: status,
    final: status === 400 || status === 401 || status === 403,
    ...(after && { after: Math.max(0, Number(after) * 1000 || Date.parse(after) - Date.now() || 0) }),
  }
}
