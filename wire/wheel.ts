import { Roster } from '../bus/roster.ts'

/** Whom a wheel calls. */
export interface Spoke {
  /** Where it stands on its wheel. Set by the wheel alone. */
  slot: Slot | undefined
  /** Its place in the slot. Set by the wheel alone. */
  indexInSlot: number
  /** A period has passed since the last call, or since it was added. */
  beat(): void
}

type Slot = Roster<'indexInSlot', Spoke>

/** Slots of a period: as many turns of the event loop share the calls. */
const SLOTS = 16

/**
 * Calls each of its members once a period: one timer for them all, and not all in one turn of the event loop. It
 * stands still while it has no member.
 */
export class Wheel {
  readonly #period: number
  readonly #slots: Slot[] = Array.from({ length: SLOTS }, () => new Roster('indexInSlot'))
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

  add(spoke: Spoke): void {
    spoke.slot = this.#slots[this.#now]!
    spoke.slot.add(spoke)
    this.#size++
    this.#timer ??= setInterval(() => this.#turn(), this.#period / SLOTS).unref()
  }

  /** Deleting twice is harmless. */
  delete(spoke: Spoke): void {
    if (spoke.slot === undefined) return
    spoke.slot.delete(spoke)
    spoke.slot = undefined
    if (--this.#size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #turn(): void {
    this.#now = (this.#now + 1) % SLOTS
    const slot = this.#slots[this.#now]!
    // A beat may end others.
    for (const spoke of slot.all()) if (slot.has(spoke)) spoke.beat()
  }
}
