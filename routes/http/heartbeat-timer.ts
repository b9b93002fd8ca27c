import { IndexedSet } from '../../bus/indexed-set.ts'

/** Whom a wheel calls. */
export interface HeartbeatMember {
  /** Where it stands on its wheel. Set by the wheel alone. */
  slot: Slot | undefined
  /** Its place in the slot. Set by the wheel alone. */
  indexInSlot: number
  /** A period has passed since the last call, or since it was added. */
  beat(): void
}

type Slot = IndexedSet<'indexInSlot', HeartbeatMember>

/** Slots of a period: as many turns of the event loop share the calls. */
const SLOTS = 16

/**
 * Calls each of its members once a period: one timer for them all, and not all in one turn of the event loop. It
 * stands still while it has no member.
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

  /** Deleting twice is harmless. */
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
    // A beat may end others.
    for (const member of slot.all()) if (slot.has(member)) member.beat()
  }
}
