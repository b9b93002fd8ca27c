/** Whom a wheel calls. */
export interface Spoke {
  /** Where it stands on its wheel. Set by the wheel alone. */
  slot: Set<Spoke> | undefined
  /** A period has passed since the last call, or since it was added. */
  beat(): void
}

/** Slots of a period: as many turns of the event loop share the calls. */
const SLOTS = 16

/**
 * Calls each of its members once a period: one timer for them all, and not all in one turn of the event loop. It
 * stands still while it has no member.
 */
export class Wheel {
  readonly #period: number
  readonly #slots: Set<Spoke>[] = Array.from({ length: SLOTS }, () => new Set())
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
    for (const spoke of this.#slots[this.#now]!) spoke.beat()
  }
}
