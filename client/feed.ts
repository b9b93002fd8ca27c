import { isCursor, isStart } from './cursor.ts'
import { Emitter, report } from './emitter.ts'
import { GapPacing } from './gap-pacing.ts'
import type { Host } from './host.ts'
import type { FeedSettings } from './link-class.ts'
import { LinkCoordinator } from './link-coordinator.ts'
import { type Item, type MessageIterator, MessageQueues } from './message-queues.ts'
import { jitter } from './time.ts'
import type { End, Gap, GapReason, Message, MessageEvent, Transport } from './types.ts'
import { onWake } from './wake-events.ts'

/** Reads one log over changing links and owns the position in it. FullFeed adds publishing and subscribing. */
export class CursorFeed extends Emitter {
  readonly url: string
  protected readonly host: Host
  protected readonly links: LinkCoordinator
  readonly #settings: FeedSettings
  readonly #queues: MessageQueues
  readonly #pacing: GapPacing
  #readyState = 0
  /** Why the feed has no link: a full buffer, a replay of one channel, or the end of all channels. */
  #held: 'full' | 'joining' | 'ended' | undefined
  /** Whether an `open` event is due, and whether one was fired before. */
  #openDue = true
  #resumed = false
  /** Consecutive gaps, and consecutive restarts at a cursor from onGap. */
  #gapsInRow = 0
  #restarts = 0
  /** The gap that onGap handles. Later events wait in `#deferred`. */
  #pendingGap: Gap | undefined
  readonly #deferred: (() => void)[] = []
  /** The position before the first message of the backlog. */
  #backlogStart = ''
  /** With `ack: 'manual'`: the last message without an `ack`, and the acknowledged cursor. */
  #unacked: string | undefined
  #acked = ''
  /** Channels that have ended. */
  readonly #endedChannels = new Set<string>()
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
        this.#openDue ||= !!lost
        this.#status(0, wait)
      },
      hold: (why) => this.#hold(why),
      resume: (ms) => this.#resume(ms),
      fault: (error, transport) => this.#fault(error, transport),
      finish: ({ status, code }, error) => this.#end(status ?? (Number(code) || 0), error.message, error),
    }
    this.#pacing = new GapPacing(settings)
    this.links = new LinkCoordinator(settings, this.host)
    this.#queues = new MessageQueues(buffer, () => {
      if (this.#held === 'full' && !this.#pendingGap && !this.#queues.full(0.5)) this.#resume(0)
    })
    this.#unwatch = onWake(() => this.links.wake())
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
    const { backlog } = this.#queues
    const reached = this.#deferred[0] ? this.#pendingGap?.cursor : this.host.place
    const place = this.#unacked ? this.#acked : backlog[0] ? this.#backlogStart : (reached ?? '')
    return isCursor(place) ? place : undefined
  }

  // Hooks for FullFeed

  /** A link is in use. */
  protected connected(): void {}

  /** Whether messages of this channel are delivered. */
  protected wants(_channel: string): boolean {
    return true
  }

  /** Records the position of the replay of one channel. */
  protected replayed(_cursor: string): void {}

  /** Returns the `advice` of a gap. */
  protected advise(reason: GapReason): string {
    return reason
  }

  /** The feed closes. */
  protected closing(): void {}

  // LinkCoordinator

  #opened(): void {
    this.#status(1)
    if (this.#openDue) {
      this.#openDue = false
      const resumed = this.#resumed
      this.#resumed = true
      this.fire('open', { resumed })
    }
    this.connected()
  }

  #hold(why: 'full' | 'joining'): void {
    this.#held = why
    this.links.stop()
    this.#status(0)
  }

  get #full(): boolean {
    return this.#deferred.length >= this.#settings.buffer || this.#queues.full()
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
    this.#gapsInRow = this.#restarts = 0
    if (this.wants(channel)) this.#inOrder(() => this.#take(message, before))
    if (this.#full && this.#readyState < 2 && !this.#held) this.#hold('full')
  }

  /** Defers events while onGap handles a gap. */
  #inOrder(then: () => void): void {
    if (this.#pendingGap) this.#deferred.push(then)
    else then()
  }

  #take(message: Message, before: string): void {
    const { backlog, present } = this.#queues
    this.#endedChannels.delete(message.channel)
    if (!backlog[0]) this.#backlogStart = before
    // The backlog goes first.
    if (!present || backlog[0]) backlog.push({ message })
    else this.#give({ message }, before)
  }

  #give(item: Item, before: string): void {
    if ('message' in item) {
      const { message } = item
      if (this.#settings.ack === 'manual') {
        if (!this.#unacked) this.#acked = before
        this.#unacked = message.cursor
      }
      this.#queues.push(item)
      this.fire('message', { ...message, lastEventId: message.cursor })
    } else {
      if (!this.#settings.onGap) this.#queues.push(item)
      if (!item.dispatched) this.#dispatchGap(item)
    }
  }

  #dispatchGap(item: { gap: Gap; dispatched: boolean }): void {
    item.dispatched = this.fire('gap', item.gap)
  }

  /** Delivers the backlog to the first listener. */
  protected override listens(type: string): void {
    if (type === 'message') this.#queues.listened = true
    if (type === 'message' || type === 'gap') this.#flush()
  }

  /** Waits for the end of the turn, so that the caller can add all its listeners. */
  #flush(): void {
    if (!this.#queues.backlog[0]) return
    queueMicrotask(() => {
      const queues = this.#queues
      const { backlog } = queues
      if (!queues.present) {
        for (const item of backlog) if ('gap' in item && !item.dispatched) this.#dispatchGap(item)
      }
      // An iteration that throws a gap ends.
      while (queues.present && backlog[0] && this.#readyState < 2)
        this.#give(backlog.shift()!, this.#backlogStart)
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
      const [ms, alternating] = this.#pacing.pause(reason)
      if (alternating) this.#fault(new Error('The epoch keeps changing: several logs share this URL'))
      // Retention that drops messages faster than the feed reads them causes a gap after each read.
      pause = Math.max(ms, this.#gapsInRow > 1 ? jitter(this.#settings, this.#gapsInRow - 2) : 0)
      this.#gapsInRow++
    }
    this.#inOrder(() => this.#handleGap(gap, place, pause))
    return pause
  }

  #handleGap(gap: Gap, place: string, pause: number): void {
    const { onGap } = this.#settings
    const { backlog, present } = this.#queues
    const item = { gap, dispatched: false }
    if (onGap && !gap.channel) this.#pendingGap = gap
    if (present && !backlog[0]) this.#give(item, place)
    else {
      this.#dispatchGap(item)
      if (!onGap) backlog.push(item)
    }
    if (onGap) void this.#callOnGap(onGap, gap, pause)
  }

  async #callOnGap(onGap: NonNullable<FeedSettings['onGap']>, gap: Gap, pause: number): Promise<void> {
    try {
      const place = (await onGap(gap)) ?? undefined
      if (gap.channel || this.#readyState > 1) return
      if (place !== undefined && !isStart(place))
        throw new TypeError("onGap must return a cursor, 'earliest' or 'now'")
      this.#pendingGap = undefined
      const deferred = this.#deferred.splice(0)
      if (place === undefined || place === gap.cursor) {
        // The next event may be another gap.
        for (const then of deferred) if (this.#readyState < 2) this.#inOrder(then)
        if (this.#held === 'full' && !this.#full) this.#resume(0)
      } else {
        this.links.stop()
        this.host.place = place
        // Retention may have dropped this position as well.
        this.#resume(pause + jitter(this.#settings, this.#restarts++))
      }
    } catch (error) {
      this.#end(0, String(error), error as Error)
    }
  }

  #ended(end: End): void {
    if (this.#endedChannels.has(end.channel)) return
    this.#endedChannels.add(end.channel)
    this.fire('end', end)
    this.#finish()
  }

  /** Closes the feed when all channels have ended and the backlog is empty. */
  #finish(): void {
    if (!this.channels.every((each) => this.#endedChannels.has(each))) return
    if (!this.#queues.backlog[0]) this.#end(1000, 'All channels have ended')
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

  [Symbol.asyncIterator](): MessageIterator {
    const iteration = this.#queues.iterate()
    this.#flush()
    return iteration
  }

  ack({ cursor }: { readonly cursor: string }): void {
    if (!isCursor(cursor)) throw new TypeError("'cursor' must be that of a message")
    if (this.#unacked) this.#acked = cursor
    if (this.#unacked === cursor) this.#unacked = undefined
  }

  // Close

  close(code = 1000, reason = ''): void {
    this.#end(code, reason)
  }

  #end(code: number, reason: string, error?: Error): void {
    if (this.#readyState > 1) return
    this.#readyState = 2
    this.links.stop()
    this.links.settleSwitch(false)
    this.closing()
    this.#unwatch()
    this.#settings.signal?.removeEventListener('abort', this.#close)
    queueMicrotask(() => {
      this.#status(3)
      this.#queues.close(error)
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
