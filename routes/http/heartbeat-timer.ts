import { IndexedSet } from '../../bus/indexed-set.ts'

/** A member of a `HeartbeatTimer`. */
export interface HeartbeatMember {
  /** The slot of the member. Only the timer writes it. */
  slot: Slot | undefined
  /** The index in the slot. Only the timer writes it. */
  indexInSlot: number
  /** Called once per period. */
  beat(): void
}

type Slot = IndexedSet<'indexInSlot', HeartbeatMember>

/** Slots per period. The calls are spread over as many turns of the event loop. */
const SLOTS = 16

/**
 * Calls each member once per period. All members share one timer, and their calls are spread over the period. Without
 * members, the timer is stopped.
 */
export class HeartbeatTimer {
  readonly #period: number
  readonly #slots: Slot[] = Array.from({ length: SLOTS }, () => new IndexedSet('indexInSlot'))
  #size = 0
  #now = 0
  #timer: NodeJS.Timeout | undefined

  /** @param period milliseconds */
  constructor(period: number) {
    this.#period = period
  }

  get size(): number {
    return this.#size
  }

  add(member: HeartbeatMember): void {
    member.slot = this.#slots[this.#now]!
    member.slot.add(member)
    this.#size++
    this.#timer ??= setInterval(() => this.#turn(), this.#period / SLOTS).unref()
  }

  /** Removes a member, if it is one. */
  delete(member: HeartbeatMember): void {
    if (member.slot === undefined) return
    member.slot.delete(member)
    member.slot = undefined
    if (--this.#size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #turn(): void {
    this.#now = (this.#now + 1) % SLOTS
    const slot = this.#slots[this.#now]!
    // A call may remove other members.
    for (const member of slot.all()) if (slot.has(member)) member.beat()
  }
}
