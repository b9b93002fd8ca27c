import type { Batch } from './batch.ts'
import type { Bound, Gap } from './bound.ts'
import type { Excerpt } from './excerpt.ts'
import { IndexedSet } from './indexed-set.ts'
import type { ReadableLog } from './readable.ts'

/** A live reader: it has all that its group holds, and waits for what comes next. */
export interface Member {
  /** The group that it is a live member of. Set by the group alone. */
  group: ReaderGroup | undefined
  /** Its place among the members of its group. Set by the group alone. */
  indexInGroup: number
  /** All up to here has been handed to it: the log's head when it joined, and at each delivery. */
  seen: number
  /** Something new stands after this place. Must not throw. It may take less than all, and then sets `seen` back. */
  deliver(after: number): void
  /**
   * The log has turned, or has lost something: it looks at its place again. It may leave, and come back.
   * @param after all up to here had been handed to it, in the log as it was
   */
  turned(after: number): void
  /** What that costs, in writes to a stream. @default 1 */
  readonly effort?: number
}

/** Who keeps the groups that have members. */
export interface WatchedGroups {
  /** A group has its first member. */
  watch(group: ReaderGroup): void
  /** A group has lost its last member. */
  unwatch(group: ReaderGroup): void
}

/** How much is handed out at once: in one write, where it is a stream. */
export const STEP: Bound = { limit: 1000, bytes: 64 * 1024 }

/**
 * A set of channels, as all its readers see it. Those of its live members that stand at the same place are handed what
 * comes next together: it is read and encoded once for them all.
 */
export class ReaderGroup {
  readonly key: string
  readonly channels: readonly string[]
  readonly #log: ReadableLog
  readonly #groups: WatchedGroups
  readonly #members = new IndexedSet<'indexInGroup', Member>('indexInGroup')
  #next: { readonly after: number; readonly batch: Batch | undefined } | undefined
  #dirty = false
  /** The members who have still to be handed what was there when the round began, the last first. */
  #rest: Member[] | undefined
  /** No member stands before it. */
  #since = 0
  /** The last message of these channels, of those that came while the group had members. */
  #last = 0

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

  /** Whether some members have been handed what the others still wait for. */
  get handing(): boolean {
    return this.#rest !== undefined
  }

  /** A member's place: all up to here has been handed to it. */
  placeOf(member: Member): number {
    return member.seen < this.#last ? this.#after(member) : this.#log.head
  }

  /**
   * What stands after a place, for a member to which it is being delivered: read once for all who stand there, and so
   * perhaps without what was published since. Undefined where there is a gap.
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

  /** Whether all of its channels have ended where a batch of theirs does. */
  over({ ended, more }: Batch): boolean {
    return ended.length > 0 && ended.length === this.channels.length && !more
  }

  /** The member must have read up to the head in this turn of the event loop. */
  join(member: Member): void {
    if (this.#members.size === 0) this.#groups.watch(this)
    this.#members.add(member)
    member.group = this
    member.seen = this.#log.head
  }

  /** Leaving twice is harmless. */
  leave(member: Member): void {
    if (member.group !== this) return
    member.group = undefined
    this.#members.delete(member)
    if (this.#members.size > 0) return
    this.#dirty = false
    this.#groups.unwatch(this)
  }

  /** This message was appended. */
  markDirty(seq: number): void {
    // While it is handing out, some members have not been handed what was there before.
    if (!this.#dirty && !this.handing) this.#since = seq - 1
    this.#dirty = true
    this.#last = seq
  }

  /** The log is about to turn, or to lose something. @returns to be called once it has */
  wake(): () => void {
    const woken = this.#members.all().map((member) => ({ member, after: this.placeOf(member) }))
    return () => {
      // All look for themselves; and numbers that were given may be given again.
      this.#dirty = false
      this.#next = undefined
      this.#since = 0
      this.#last = 0
      for (const { member, after } of woken) if (member.group === this) member.turned(after)
    }
  }

  /**
   * Hands out what was appended, to as many as fit into one turn of the event loop.
   * @param most effort
   * @returns the effort that it took
   */
  flush(most: number): number {
    if (this.#rest === undefined) {
      if (!this.#dirty) return 0
      this.#dirty = false
      this.#rest = this.#members.all().reverse()
    }
    let effort = 0
    // A copy, but each as it is when its turn comes: a delivery may run a hook of the user's, which publishes or has
    // others leave, and a member that has joined or read in between must not be handed the same again.
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
    return effort
  }
}
