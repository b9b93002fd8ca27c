import { Consumers, type Item, type Iteration } from './consumers.ts'
import { Emitter, report } from './emitter.ts'
import { Holes } from './holes.ts'
import type { Host } from './host.ts'
import type { FeedSettings } from './kinds.ts'
import { Links } from './links.ts'
import { watchPage } from './page.ts'
import { isCursor, isStart } from './place.ts'
import { jitter } from './time.ts'
import type { End, Gap, GapReason, Message, MessageEvent, Transport } from './types.ts'

/** One reader, whatever carries it. It owns the place; links come and go. It reads alone: what more a feed can do adds to it. */
export class CursorFeed extends Emitter {
  readonly url: string
  protected readonly host: Host
  protected readonly links: Links
  readonly #settings: FeedSettings
  readonly #consumers: Consumers
  readonly #holes: Holes
  #readyState = 0
  /** Why there is no link: a slow iteration has to take what waits, or a channel to be replayed; or nothing more comes. */
  #held: 'full' | 'joining' | 'ended' | undefined
  /** Whether an `open` is due, and whether there was one. */
  #due = true
  #resumed = false
  /** Holes in a row, and places that onGap has given. */
  #row = 0
  #asked = 0
  /** The hole that onGap is asked about, and what has come behind it, which is handed out once it has answered. */
  #asking: Gap | undefined
  readonly #behind: (() => void)[] = []
  /** The place before the first message that nobody has taken. */
  #before = ''
  /** With `ack: 'manual'`: the last message that was given and not acknowledged, and the place that was. */
  #given: string | undefined
  #acked = ''
  /** Channels that have ended. */
  readonly #over = new Set<string>()
  readonly #close = () => this.close()
  readonly #unwatch: () => void

  constructor(settings: FeedSettings) {
    super()
    const { url, signal, cursor, channels, buffer } = settings
    const feed = this
    this.url = url
    this.#settings = settings
    this.host = {
      place: cursor,
      channels,
      get readyState() {
        return feed.#readyState
      },
      message: (message, joining) => this.#message(message, joining),
      gap: (reason, cursor, channel) => this.#gap(reason, cursor, channel),
      ended: (end) => this.#inOrder(() => this.#ended(end)),
      opened: () => this.#opened(),
      tries: (wait, lost) => {
        this.#due ||= !!lost
        this.#status(0, wait)
      },
      hold: (why) => this.#hold(why),
      resume: (ms) => this.#resume(ms),
      fault: (error, transport) => this.#fault(error, transport),
      finish: ({ status, code }, error) => this.#end(status ?? (Number(code) || 0), error.message, error),
    }
    this.#holes = new Holes(settings)
    this.links = new Links(settings, this.host)
    this.#consumers = new Consumers(buffer, () => {
      if (this.#held === 'full' && !this.#asking && !this.#consumers.full(0.5)) this.#resume(0)
    })
    this.#unwatch = watchPage(() => this.links.wake())
    signal?.addEventListener('abort', this.#close)
    queueMicrotask(() => {
      if (signal?.aborted) this.close()
      else if (!this.#readyState) this.links.start()
    })
  }

  get readyState(): number {
    return this.#readyState
  }

  get bufferedAmount(): number {
    return this.links.main?.bufferedAmount ?? 0
  }

  get transport(): Transport {
    return this.links.transport
  }

  get channels(): readonly string[] {
    return this.host.channels
  }

  get cursor(): string | undefined {
    const { backlog } = this.#consumers
    const reached = this.#behind[0] ? this.#asking?.cursor : this.host.place
    const place = this.#given ? this.#acked : backlog[0] ? this.#before : (reached ?? '')
    return isCursor(place) ? place : undefined
  }

  // What a feed that can do more adds

  /** It reads. */
  protected reads(): void {}

  /** Whether the messages of a channel are given. */
  protected wants(_channel: string): boolean {
    return true
  }

  /** The replay of one channel has come so far. */
  protected replayed(_cursor: string): void {}

  /** What to do about a hole. */
  protected advise(reason: GapReason): string {
    return reason
  }

  /** It closes. */
  protected ends(): void {}

  // Links

  #opened(): void {
    this.#status(1)
    if (this.#due) {
      this.#due = false
      const resumed = this.#resumed
      this.#resumed = true
      this.fire('open', { resumed })
    }
    this.reads()
  }

  #hold(why: 'full' | 'joining'): void {
    this.#held = why
    this.links.stop()
    this.#status(0)
  }

  get #full(): boolean {
    return this.#behind.length >= this.#settings.buffer || this.#consumers.full()
  }

  #resume(ms: number): void {
    this.#held = undefined
    if (this.#readyState > 1) return
    if (this.#full) this.#hold('full')
    else this.links.again(ms)
  }

  switchTo(transport: Transport): Promise<boolean> {
    if (!this.#settings.transports.includes(transport))
      return Promise.reject(new TypeError(`Option 'transports' has no '${transport}' that can be used here`))
    if (this.#readyState > 1) return Promise.resolve(false)
    return this.links.switchTo(transport, !this.#held)
  }

  // Messages

  #message(message: Message, joining?: boolean): void {
    const { cursor, channel } = message
    const before = this.host.place
    if (joining) this.replayed(cursor)
    else this.host.place = cursor
    this.#row = this.#asked = 0
    if (this.wants(channel)) this.#inOrder(() => this.#take(message, before))
    if (this.#full && this.#readyState < 2 && !this.#held) this.#hold('full')
  }

  /** Nothing overtakes a hole. */
  #inOrder(then: () => void): void {
    if (this.#asking) this.#behind.push(then)
    else then()
  }

  #take(message: Message, before: string): void {
    const { backlog, present } = this.#consumers
    this.#over.delete(message.channel)
    if (!backlog[0]) this.#before = before
    // What waits for the first that listens goes before.
    if (!present || backlog[0]) backlog.push({ message })
    else this.#give({ message }, before)
  }

  #give(item: Item, before: string): void {
    if ('message' in item) {
      const { message } = item
      if (this.#settings.ack === 'manual') {
        if (!this.#given) this.#acked = before
        this.#given = message.cursor
      }
      this.#consumers.push(item)
      this.fire('message', { ...message, lastEventId: message.cursor })
    } else {
      if (!this.#settings.onGap) this.#consumers.push(item)
      if (!item.told) this.#tell(item)
    }
  }

  #tell(item: { gap: Gap; told: boolean }): void {
    item.told = this.fire('gap', item.gap)
  }

  /** Somebody is there to take what has come so far. */
  protected override listens(type: string): void {
    if (type === 'message') this.#consumers.listened = true
    if (type === 'message' || type === 'gap') this.#flush()
  }

  /** Not at once: others may come in the same turn. */
  #flush(): void {
    if (!this.#consumers.backlog[0]) return
    queueMicrotask(() => {
      const consumers = this.#consumers
      const { backlog } = consumers
      if (!consumers.present) {
        for (const item of backlog) if ('gap' in item && !item.told) this.#tell(item)
      }
      // One that has thrown a gap is not there any more.
      while (consumers.present && backlog[0] && this.#readyState < 2)
        this.#give(backlog.shift()!, this.#before)
      this.#finish()
      if (this.#held === 'full' && !this.#full) this.#resume(0)
    })
  }

  #gap(reason: GapReason, cursor: string, channel?: string): number {
    const { place } = this.host
    const from = isCursor(place) ? place : undefined
    const gap: Gap = { reason, cursor, from, channel, advice: this.advise(reason) }
    let pause = 0
    if (channel) this.replayed(cursor)
    else {
      this.host.place = cursor
      const [ms, tell] = this.#holes.pause(reason)
      if (tell) this.#fault(new Error('The log changes again and again: are there several?'))
      // Retention that passes faster than it is read makes one hole after the other.
      pause = Math.max(ms, this.#row > 1 ? jitter(this.#settings, this.#row - 2) : 0)
      this.#row++
    }
    this.#inOrder(() => this.#hole(gap, place, pause))
    return pause
  }

  #hole(gap: Gap, place: string, pause: number): void {
    const { onGap } = this.#settings
    const { backlog, present } = this.#consumers
    const item = { gap, told: false }
    if (onGap && !gap.channel) this.#asking = gap
    if (present && !backlog[0]) this.#give(item, place)
    else {
      this.#tell(item)
      if (!onGap) backlog.push(item)
    }
    if (onGap) void this.#ask(onGap, gap, pause)
  }

  async #ask(onGap: NonNullable<FeedSettings['onGap']>, gap: Gap, pause: number): Promise<void> {
    try {
      const place = (await onGap(gap)) ?? undefined
      if (gap.channel || this.#readyState > 1) return
      if (place !== undefined && !isStart(place))
        throw new TypeError("onGap must give a cursor, 'earliest' or 'now'")
      this.#asking = undefined
      const behind = this.#behind.splice(0)
      if (place === undefined || place === gap.cursor) {
        // What comes next may be a hole, too.
        for (const then of behind) if (this.#readyState < 2) this.#inOrder(then)
        if (this.#held === 'full' && !this.#full) this.#resume(0)
      } else {
        this.links.stop()
        this.host.place = place
        // That place may be gone as well, again and again.
        this.#resume(pause + jitter(this.#settings, this.#asked++))
      }
    } catch (error) {
      this.#end(0, String(error), error as Error)
    }
  }

  #ended(end: End): void {
    if (this.#over.has(end.channel)) return
    this.#over.add(end.channel)
    this.fire('end', end)
    this.#finish()
  }

  /** Closes where nothing more comes, and nothing waits for somebody who takes it. */
  #finish(): void {
    if (!this.channels.every((each) => this.#over.has(each))) return
    if (!this.#consumers.backlog[0]) this.#end(1000, 'All channels have ended')
    else {
      this.#held = 'ended'
      this.links.stop()
    }
  }

  on(channel: string, handler: (message: MessageEvent<unknown>) => void): () => void {
    const listen = (event: Event) => {
      const message = event as MessageEvent<unknown>
      if (message.channel === channel) handler(message)
    }
    this.addEventListener('message', listen)
    return () => this.removeEventListener('message', listen)
  }

  [Symbol.asyncIterator](): Iteration {
    const iteration = this.#consumers.iterate()
    this.#flush()
    return iteration
  }

  ack({ cursor }: { readonly cursor: string }): void {
    if (!isCursor(cursor)) throw new TypeError("'cursor' must be that of a message")
    if (this.#given) this.#acked = cursor
    if (this.#given === cursor) this.#given = undefined
  }

  // Ends

  close(code = 1000, reason = ''): void {
    this.#end(code, reason)
  }

  #end(code: number, reason: string, error?: Error): void {
    if (this.#readyState > 1) return
    this.#readyState = 2
    this.links.stop()
    this.links.settleSwitch(false)
    this.ends()
    this.#unwatch()
    this.#settings.signal?.removeEventListener('abort', this.#close)
    queueMicrotask(() => {
      this.#status(3)
      this.#consumers.close(error)
      this.fire('close', { code, reason, wasClean: !error })
    })
  }

  #status(readyState: number, wait?: number): void {
    this.#readyState = readyState
    this.fire('status', { readyState, transport: this.transport, wait })
  }

  #fault(thrown: unknown, transport = this.transport): boolean {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    return this.fire('error', { error, transport })
  }

  protected override threw(error: unknown): void {
    if (!this.#fault(error)) report(error)
  }
}
