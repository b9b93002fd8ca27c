import type { Log } from './log.ts'
import { View } from './view.ts'

const NO_VIEWS: ReadonlySet<View> = new Set()

/** Views that nobody watches, kept since a next reader of the same channels is likely. */
const IDLE_VIEWS = 256

/**
 * Readers from which on the sockets are looked at once more before a message is handed out. Publishers that were
 * waiting for one hand-out wake together, and arrive some microseconds apart; a look costs less than a write to two
 * readers.
 */
const MANY = 32

/** All views of a log: who waits for what, and what has still to be handed out. */
export class Views {
  readonly #log: Log
  readonly #watched = new Map<string, View>()
  readonly #idle = new Map<string, View>()
  readonly #watchers = new Map<string, Set<View>>()
  #dirty: View[] = []
  #flush: NodeJS.Immediate | undefined
  /** The head at the last flush: what stands after it has not been handed to the live readers. */
  #flushed = 0
  #flushing = false

  constructor(log: Log) {
    this.#log = log
  }

  /** Readers that wait for what comes next. */
  get watching(): number {
    let count = 0
    for (const view of this.#watched.values()) count += view.size
    return count
  }

  /** The view of these channels, sorted, each once: one view for all who ask for the same. */
  of(channels: readonly string[]): View {
    const key = channels.length === 1 ? channels[0]! : channels.join()
    let view = this.#watched.get(key) ?? this.#idle.get(key)
    if (view === undefined) {
      view = new View(this.#log, this, key, channels)
      this.#rest(view)
    }
    return view
  }

  #rest(view: View): void {
    this.#idle.set(view.key, view)
    if (this.#idle.size > IDLE_VIEWS) this.#idle.delete(this.#idle.keys().next().value!)
  }

  /** @internal A view has its first member. */
  watch(view: View): void {
    this.#idle.delete(view.key)
    this.#watched.set(view.key, view)
    for (const name of view.channels) {
      const views = this.#watchers.get(name)
      if (views === undefined) this.#watchers.set(name, new Set([view]))
      else views.add(view)
    }
  }

  /** @internal A view has lost its last member. */
  unwatch(view: View): void {
    this.#watched.delete(view.key)
    for (const name of view.channels) {
      const views = this.#watchers.get(name)!
      views.delete(view)
      if (views.size === 0) this.#watchers.delete(name)
    }
    this.#rest(view)
  }

  /** A message was appended to a channel. */
  soil(channel: string, seq: number): void {
    for (const view of this.#watchers.get(channel) ?? NO_VIEWS) {
      if (!view.dirty) this.#dirty.push(view)
      view.soil(seq)
      // The check phase comes right after the sockets of this turn were read: what they published goes out in one
      // write, and an idle loop adds no wait.
      this.#flush ??= setImmediate(() => this.#turn())
    }
  }

  #turn(): void {
    const readers = this.#dirty.reduce((sum, view) => sum + view.size, 0)
    if (readers < MANY) this.flush()
    else this.#flush = setImmediate(() => this.flush())
  }

  /** Whether somebody has still to be handed this message, and can be now. */
  waitFor(seq: number): boolean {
    return seq > this.#flushed && this.#dirty.length > 0 && !this.#flushing
  }

  /** Hands what was appended since the last time to the live readers. */
  flush(): void {
    if (this.#flushing) return // what a delivery publishes goes out at the end of the turn
    clearImmediate(this.#flush)
    this.#flush = undefined
    this.#flushed = this.#log.head
    const views = this.#dirty
    this.#dirty = []
    this.#flushing = true
    for (const view of views) view.flush()
    this.#flushing = false
  }
}
