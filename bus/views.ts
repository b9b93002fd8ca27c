import type { Log } from './log.ts'
import { detach } from './text.ts'
import { View } from './view.ts'

const NO_VIEWS: ReadonlySet<View> = new Set()

/**
 * Views that nobody watches, kept since a next reader of the same channels is likely: 9 kB each where all 32 names
 * are as long as can be.
 */
const IDLE_VIEWS = 256

/** What is handed out in one turn of the event loop, in writes to streams: an answer to a poll is as much as several. */
export const HAND_OUT = 512

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
  /** Those of the round that is being handed out, the first first. */
  #round: View[] = []
  /** The head when that round began. */
  #roundHead = 0
  #flush: NodeJS.Immediate | undefined
  /** The head at the last round that was handed out: what stands after it has not reached all live readers. */
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
      const names = channels.map(detach)
      view = new View(this.#log, this, names.length === 1 ? names[0]! : detach(key), names)
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
    if (readers < MANY) this.#hand(HAND_OUT)
    else this.#flush = setImmediate(() => this.#hand(HAND_OUT))
  }

  /** Whether somebody has still to be handed this message, and can be now. */
  waitFor(seq: number): boolean {
    return seq > this.#flushed && (this.#dirty.length > 0 || this.#round.length > 0) && !this.#flushing
  }

  /** Hands all that was appended since the last time to the live readers, in this turn. */
  flush(): void {
    this.#hand(Infinity)
  }

  /** @param most when to stop; the rest follows in the next turn */
  #hand(most: number): void {
    if (this.#flushing) return // what a delivery publishes goes out at the end of the turn
    clearImmediate(this.#flush)
    this.#flush = undefined
    this.#flushing = true
    const begun = this.#round.length > 0
    this.#handRound(most)
    if (begun && most === Infinity) this.#handRound(most)
    this.#flushing = false
    if (this.#round.length > 0 || this.#dirty.length > 0) {
      this.#flush ??= setImmediate(() => (this.#round.length > 0 ? this.#hand(HAND_OUT) : this.#turn()))
    }
  }

  #handRound(most: number): void {
    if (this.#round.length === 0) {
      this.#roundHead = this.#log.head
      this.#round = this.#dirty
      this.#dirty = []
    }
    let left = most
    let done = 0
    while (done < this.#round.length && left > 0) {
      left -= this.#round[done]!.flush(left)
      if (!this.#round[done]!.handing) done++
    }
    this.#round = this.#round.slice(done)
    if (this.#round.length === 0) this.#flushed = this.#roundHead
  }
}
