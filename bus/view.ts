import type { Batch } from './batch.ts'
import type { Bound, Gap, Log } from './log.ts'

/** A live reader: it has all that its view holds, and waits for what comes next. */
export interface Member {
  /** Something new stands after this place. Must not throw. */
  deliver(after: number): void
}

/**
 * A set of channels, as all its readers see it. Its live members stand together at one place, so that what comes
 * next is read and encoded once for them all.
 */
export class View {
  readonly key: string
  readonly channels: readonly string[]
  readonly #log: Log
  readonly #members = new Set<Member>()
  #dirty = false
  /** The place of the members while the view is dirty. */
  #at = 0

  constructor(log: Log, key: string, channels: readonly string[]) {
    this.#log = log
    this.key = key
    this.channels = channels
  }

  get size(): number {
    return this.#members.size
  }

  /** Whether something was appended that the members have not been handed. */
  get dirty(): boolean {
    return this.#dirty
  }

  /** The members' place: all before it has been handed to them. */
  get place(): number {
    return this.#dirty ? this.#at : this.#log.head
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
    else this.flush() // else it would be handed what it has read by itself
    this.#members.add(member)
  }

  /** Leaving twice is harmless. */
  leave(member: Member): void {
    if (!this.#members.delete(member) || this.#members.size > 0) return
    this.#dirty = false
    this.#log.unwatch(this)
  }

  /** Something was appended after this place, the head until then. */
  soil(at: number): void {
    this.#dirty = true
    this.#at = at
  }

  flush(): void {
    if (!this.#dirty) return
    this.#dirty = false
    // A copy: a member that leaves and joins again has read by itself, and must not be met a second time.
    for (const member of [...this.#members]) {
      if (this.#members.has(member)) member.deliver(this.#at)
    }
  }
}
