import { Leases } from './leases.ts'
import type { ReadableLog } from './readable.ts'
import { ReaderGroup, type WatchedGroups } from './reader-group.ts'
import { detach } from './text.ts'

const NO_GROUPS: ReadonlySet<ReaderGroup> = new Set()

/**
 * Maximum number of groups without members. They are kept for the next reader of the same channels. A group takes up to
 * 9 kB, with 32 names of maximum length.
 */
const IDLE_GROUPS = 256

/** Maximum effort of one turn of the event loop, in writes to streams. An answer to a poll counts as several. */
export const HAND_OUT = 512

/**
 * With this many readers, wait one more turn before delivering. Publishers that waited for one delivery continue
 * together, and their next messages arrive some microseconds apart. A turn costs less than writes to two readers.
 */
const MANY = 32

/** All reader groups of a log, and the deliveries that are due. */
export class ReaderGroups implements WatchedGroups {
  /** Clients of long polls that are no members at present. */
  readonly leases = new Leases()
  readonly #log: ReadableLog
  readonly #watched = new Map<string, ReaderGroup>()
  readonly #idle = new Map<string, ReaderGroup>()
  readonly #watchers = new Map<string, Set<ReaderGroup>>()
  #dirty: ReaderGroup[] = []
  /** The groups of the current round that are still to be served, in order. */
  #round: ReaderGroup[] = []
  /** The head at the start of that round. */
  #roundHead = 0
  #flush: NodeJS.Immediate | undefined
  /** The head at the last complete round. Live readers may lack messages after it. */
  #flushed = 0
  #flushing = false

  constructor(log: ReadableLog) {
    this.#log = log
  }

  /** Number of live readers. */
  get watching(): number {
    let count = 0
    for (const group of this.#watched.values()) count += group.size
    return count
  }

  /** Number of live readers of a channel, with the clients of long polls that are expected back. */
  readersOf(channel: string): number {
    let count = this.leases.of(channel)
    for (const group of this.#watchers.get(channel) ?? NO_GROUPS) count += group.size
    return count
  }

  /** These numbers by channel. @param most maximum number of channels */
  counts(most: number): Map<string, number> {
    const counts = new Map<string, number>()
    for (const [channel, groups] of this.#watchers) {
      if (counts.size === most) break
      let count = 0
      for (const group of groups) count += group.size
      counts.set(channel, count)
    }
    for (const [channel, count] of this.leases.counts()) {
      const live = counts.get(channel) ?? 0
      if (live > 0 || counts.size < most) counts.set(channel, live + count)
    }
    return counts
  }

  /** The group of these channels, which must be sorted and unique. Readers of the same channels share it. */
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

  /** The first member joined a group. */
  watch(group: ReaderGroup): void {
    this.#idle.delete(group.key)
    this.#watched.set(group.key, group)
    for (const name of group.channels) {
      const groups = this.#watchers.get(name)
      if (groups === undefined) this.#watchers.set(name, new Set([group]))
      else groups.add(group)
    }
  }

  /** The last member left a group. */
  unwatch(group: ReaderGroup): void {
    this.#watched.delete(group.key)
    for (const name of group.channels) {
      const groups = this.#watchers.get(name)!
      groups.delete(group)
      if (groups.size === 0) this.#watchers.delete(name)
    }
    this.#rest(group)
  }

  /** Marks the groups of a channel to which a message was appended. */
  markDirty(channel: string, seq: number): void {
    for (const group of this.#watchers.get(channel) ?? NO_GROUPS) {
      if (!group.dirty) this.#dirty.push(group)
      group.markDirty(seq)
      // The check phase follows the reads of this turn's sockets: their publishes share one write, and an idle loop adds
      // no delay.
      this.#flush ??= setImmediate(() => this.#turn())
    }
  }

  /**
   * Makes each live reader check its place again.
   * @param change begins a new epoch or removes messages
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

  /** Whether a live reader lacks this message and can get it now. */
  waitFor(seq: number): boolean {
    return seq > this.#flushed && (this.#dirty.length > 0 || this.#round.length > 0) && !this.#flushing
  }

  /** Delivers all pending messages to the live readers, in this turn. */
  flush(): void {
    this.#hand(Infinity)
  }

  /** @param most maximum effort; the rest follows in the next turn */
  #hand(most: number): void {
    if (this.#flushing) return // messages that a delivery publishes go out at the end of the turn
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
