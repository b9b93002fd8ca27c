import type { ReadableLog } from './readable.ts'
import { ReaderGroup, type WatchedGroups } from './reader-group.ts'
import { detach } from './text.ts'

const NO_GROUPS: ReadonlySet<ReaderGroup> = new Set()

/**
 * Groups that nobody watches, kept since a next reader of the same channels is likely: 9 kB each where all 32 names
 * are as long as can be.
 */
const IDLE_GROUPS = 256

/** What is handed out in one turn of the event loop, in writes to streams: an answer to a poll is as much as several. */
export const HAND_OUT = 512

/**
 * Readers from which on the sockets are looked at once more before a message is handed out. Publishers that were
 * waiting for one hand-out wake together, and arrive some microseconds apart; a look costs less than a write to two
 * readers.
 */
const MANY = 32

/** All groups of a log: who waits for what, and what has still to be handed out. */
export class ReaderGroups implements WatchedGroups {
  readonly #log: ReadableLog
  readonly #watched = new Map<string, ReaderGroup>()
  readonly #idle = new Map<string, ReaderGroup>()
  readonly #watchers = new Map<string, Set<ReaderGroup>>()
  #dirty: ReaderGroup[] = []
  /** Those of the round that is being handed out, the first first. */
  #round: ReaderGroup[] = []
  /** The head when that round began. */
  #roundHead = 0
  #flush: NodeJS.Immediate | undefined
  /** The head at the last round that was handed out: what stands after it has not reached all live readers. */
  #flushed = 0
  #flushing = false

  constructor(log: ReadableLog) {
    this.#log = log
  }

  /** Readers that wait for what comes next. */
  get watching(): number {
    let count = 0
    for (const group of this.#watched.values()) count += group.size
    return count
  }

  /** Those of them that read this channel, perhaps among others. */
  watchingOf(channel: string): number {
    let count = 0
    for (const group of this.#watchers.get(channel) ?? NO_GROUPS) count += group.size
    return count
  }

  /** The group of these channels, sorted, each once: one group for all who ask for the same. */
  of(channels: readonly string[]): ReaderGroup {
    const key = channels.length === 1 ? channels[0]! : channels.join()
    let group = this.#watched.get(key) ?? this.#idle.get(key)
    if (group === undefined) {
      const names = channels.map(detach)
      group = new ReaderGroup(this.#log, this, names.length === 1 ? names[0]! : detach(key), names)
      this.#rest(group)
    }
    return group
  }

  #rest(group: ReaderGroup): void {
    this.#idle.set(group.key, group)
    if (this.#idle.size > IDLE_GROUPS) this.#idle.delete(this.#idle.keys().next().value!)
  }

  /** A group has its first member. */
  watch(group: ReaderGroup): void {
    this.#idle.delete(group.key)
    this.#watched.set(group.key, group)
    for (const name of group.channels) {
      const groups = this.#watchers.get(name)
      if (groups === undefined) this.#watchers.set(name, new Set([group]))
      else groups.add(group)
    }
  }

  /** A group has lost its last member. */
  unwatch(group: ReaderGroup): void {
    this.#watched.delete(group.key)
    for (const name of group.channels) {
      const groups = this.#watchers.get(name)!
      groups.delete(group)
      if (groups.size === 0) this.#watchers.delete(name)
    }
    this.#rest(group)
  }

  /** A message was appended to a channel. */
  markDirty(channel: string, seq: number): void {
    for (const group of this.#watchers.get(channel) ?? NO_GROUPS) {
      if (!group.dirty) this.#dirty.push(group)
      group.markDirty(seq)
      // The check phase comes right after the sockets of this turn were read: what they published goes out in one
      // write, and an idle loop adds no wait.
      this.#flush ??= setImmediate(() => this.#turn())
    }
  }

  /**
   * Lets each live reader look at its place again: the log turns, or loses something.
   * @param change what the log does; the readers' places are those before it
   */
  wake(change: () => void): void {
    this.flush()
    const wakes = [...this.#watched.values()].map((group) => group.wake())
    change()
    this.#flushed = this.#log.head
    this.#roundHead = this.#log.head
    for (const wake of wakes) wake()
  }

  #turn(): void {
    const readers = this.#dirty.reduce((sum, group) => sum + group.size, 0)
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
