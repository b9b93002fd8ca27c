import type { Batch } from './batch.ts'
import type { Bound, Gap } from './bound.ts'
import { type DeliverMessage, deliverChannel } from './deliver-channel.ts'
import type { Excerpt } from './excerpt.ts'
import { IndexedSet } from './indexed-set.ts'
import type { ReadableLog } from './readable.ts'

/** A live reader: it has read up to the head and waits for the next message. */
export interface Member {
  /** The group of which it is a member. Only the group writes it. */
  group: ReaderGroup | undefined
  /** The index among the members. Only the group writes it. */
  indexInGroup: number
  /** The seq up to which it got every message. Starts as the head at the time of joining. */
  seen: number
  /** Messages follow after this place. Must not throw. A reader that takes only some of them sets `seen` back. */
  deliver(after: number): void
  /**
   * The log has begun a new epoch or lost messages. The reader checks its place again. It may leave and rejoin.
   * @param after the seq up to which it had got every message, in the log as it was
   */
  turned(after: number): void
  /** Cost of a delivery, in writes to a stream. @default 1 */
  readonly effort?: number
}

/** Owner of the groups. */
export interface WatchedGroups {
  /** The first member joined a group. */
  watch(group: ReaderGroup): void
  /** The last member left a group. */
  unwatch(group: ReaderGroup): void
}

/** Limits of one delivery, which is one write of a stream. */
export const STEP: Bound = { limit: 1000, bytes: 64 * 1024 }

/**
 * The live readers of one set of channels. Members at the same place share each delivery, which is read and encoded
 * once.
 */
export class ReaderGroup {
  readonly key: string
  readonly channels: readonly string[]
  readonly #log: ReadableLog
  readonly #groups: WatchedGroups
  readonly #members = new IndexedSet<'indexInGroup', Member>('indexInGroup')
  #next: { readonly after: number; readonly batch: Batch | undefined } | undefined
  #dirty = false
  /** The members that this round has not served yet, the last one first. */
  #rest: Member[] | undefined
  /** No member is at an earlier place. */
  #since = 0
  /** The last message of these channels that was appended while the group had members. */
  #last = 0
  /** When the first message of the next round, and of this one, was appended; 0: nobody asks. */
  #appendedAt = 0
  #roundAt = 0

  constructor(log: ReadableLog, groups: WatchedGroups, key: string, channels: readonly string[]) {
    this.#log = log
    this.#groups = groups
    this.key = key
    this.channels = channels
  }

  get size(): number {
    return this.#members.size
  }

  /** Whether something was appended since the last flush. */
  get dirty(): boolean {
    return this.#dirty
  }

  /** Whether this round has served some members and not others. */
  get handing(): boolean {
    return this.#rest !== undefined
  }

  /** The place of a member: the seq up to which it got every message. */
  placeOf(member: Member): number {
    return member.seen < this.#last ? this.#after(member) : this.#log.head
  }

  /**
   * The next batch of a member during a delivery. It is read once for all members at the place, so it may lack messages
   * published since. Undefined if there is a gap.
   */
  next(after: number): Batch | undefined {
    if (this.#next?.after !== after) {
      this.#next = { after, batch: this.gapAfter(after) === undefined ? this.read(after, STEP) : undefined }
    }
    return this.#next.batch
  }

  #after({ seen }: Member): number {
    return Math.max(seen, this.#since)
  }

  gapAfter(seq: number, excerpt?: Excerpt): Gap | undefined {
    return this.#log.gapAfter(seq, this.channels, excerpt)
  }

  read(after: number, bound: Bound, excerpt?: Excerpt): Batch {
    return this.#log.read(this.channels, after, bound, excerpt)
  }

  /** Whether all of its channels have ended at the end of a batch. */
  over({ ended, more }: Batch): boolean {
    return ended.length > 0 && ended.length === this.channels.length && !more
  }

  /** Adds a member, which must have read up to the head in this turn of the event loop. */
  join(member: Member): void {
    if (this.#members.size === 0) this.#groups.watch(this)
    this.#members.add(member)
    member.group = this
    member.seen = this.#log.head
  }

  /** Removes a member, if it is one. */
  leave(member: Member): void {
    if (member.group !== this) return
    member.group = undefined
    this.#members.delete(member)
    if (this.#members.size > 0) return
    this.#reset()
    this.#groups.unwatch(this)
  }

  /** Forgets all seqs: a new epoch may assign them a second time, also while the group has no members. */
  #reset(): void {
    this.#dirty = false
    this.#next = undefined
    this.#since = 0
    this.#last = 0
  }

  /** Notes that a message was appended. */
  markDirty(seq: number): void {
    // During a round, some members have not got the earlier messages yet.
    if (!this.#dirty && !this.handing) this.#since = seq - 1
    if (!this.#dirty && deliverChannel.hasSubscribers) this.#appendedAt = performance.now()
    this.#dirty = true
    this.#last = seq
  }

  /** Called before the log begins a new epoch or loses messages. @returns the function to call after it */
  wake(): () => void {
    const woken = this.#members.all().map((member) => ({ member, after: this.placeOf(member) }))
    return () => {
      // Each member checks its place.
      this.#reset()
      for (const { member, after } of woken) if (member.group === this) member.turned(after)
    }
  }

  /**
   * Delivers appended messages, to as many members as fit into one turn of the event loop.
   * @param most maximum effort
   * @returns the effort spent
   */
  flush(most: number): number {
    if (this.#rest === undefined) {
      if (!this.#dirty) return 0
      this.#dirty = false
      this.#rest = this.#members.all().reverse()
      this.#roundAt = this.#appendedAt
      this.#appendedAt = 0
    }
    let effort = 0
    // A copy of the members, each checked when its turn comes: a delivery may run a user's hook that publishes or makes
    // members leave, and a member that joined or read meanwhile must not get a message twice.
    for (let member = this.#rest.pop(); member !== undefined; member = this.#rest.pop()) {
      if (member.group === this && member.seen < this.#last) {
        const after = this.#after(member)
        member.seen = this.#log.head
        effort += member.effort ?? 1
        member.deliver(after)
        if (effort >= most && this.#rest.length > 0) return effort
      }
    }
    this.#next = undefined
    this.#rest = undefined
    if (this.#roundAt > 0) {
      const delayMs = performance.now() - this.#roundAt
      deliverChannel.publish({ channels: this.channels, delayMs } satisfies DeliverMessage)
    }
    return effort
  }
}
