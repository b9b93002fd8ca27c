import type { Batch } from './batch.ts'
import type { Bound, Gap, Log } from './log.ts'

/** A live reader: it has all that its view holds, and waits for what comes next. */
export interface Member {
  /** Something new stands after this place. Must not throw. */
  deliver(after: number): void
}

/**
 * A set of channels, as all its readers see it. Those of its live members that stand at the same place are handed what
 * comes next together: it is read and encoded once for them all.
 */
export class View {
  readonly key: string
  readonly channels: readonly string[]
  readonly #log: Log
  /** With the head when each joined, or when it was handed something last. */
  readonly #members = new Map<Member, number>()
  #dirty = false
  #flushing = false
  /** No member stands before it. */
  #since = 0
  /** The last message of these channels, of those that came while the view had members. */
  #last = 0

  constructor(log: Log, key: string, channels: readonly string[]) {
    this.#log = log
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

  /** A member's place: all up to here has been handed to it. */
  placeOf(member: Member): number {
    const place = this.#members.get(member)!
    return place < this.#last ? Math.max(place, this.#since) : this.#log.head
  }

  gapAfter(seq: number): Gap | undefined {
    return this.#log.gapAfter(seq, this.channels)
  }

  read(after: number, bound: Bound): Batch {
    return this.#log.read(this.channels, after, bound)
  }

  /** The member must have read up to the head in this turn of the event loop. */
  join(member: Member): void {
    if (this.#members.size === 0) this.#log.watch(this)
    this.#members.set(member, this.#log.head)
  }

  /** Leaving twice is harmless. */
  leave(member: Member): void {
    if (!this.#members.delete(member) || this.#members.size > 0) return
    this.#dirty = false
    this.#log.unwatch(this)
  }

  /** This message was appended. */
  soil(seq: number): void {
    // While it is handing out, some members have not been handed what was there before.
    if (!this.#dirty && !this.#flushing) this.#since = seq - 1
    this.#dirty = true
    this.#last = seq
  }

  flush(): void {
    if (!this.#dirty) return
    this.#dirty = false
    this.#flushing = true
    // A copy, but the place as it is when its turn comes: a delivery may run a hook of the user's, which publishes or
    // has others leave, and a member that has joined or read in between must not be handed the same again.
    for (const member of [...this.#members.keys()]) {
      const place = this.#members.get(member)
      if (place === undefined || place >= this.#last) continue
      this.#members.set(member, this.#log.head)
      member.deliver(Math.max(place, this.#since))
    }
    this.#flushing = false
  }
}
