import type { Batch } from './batch.ts'

/** What may be read back from the log in one turn of the event loop, all readers together: some 2 ms of work. */
export const TURN = 2048

/**
 * What that is spent on: a write, and each KiB of it; where the batch was not encoded before, each message, and each
 * KiB that is encoded.
 */
const COST = { write: 32, written: 2, message: 0.5, encoded: 4 }

/**
 * Shares the event loop between what reads back from the log, and everything else. Once a turn's budget is spent, who
 * wants more waits in line for a later turn; between two of them sockets are read, timers run, and live readers get
 * what is new.
 */
export class Turns {
  #used = 0
  /** Who waits, the first first; those before `#gone` have had their turn. */
  #line: (() => void)[] = []
  #gone = 0
  #next: NodeJS.Immediate | undefined

  /** Whether this turn's budget is used up: then wait. */
  get spent(): boolean {
    return this.#used >= TURN
  }

  /** How many wait in line. */
  get waiting(): number {
    return this.#line.length - this.#gone
  }

  /** To be called when something was read, before it is encoded. */
  charge(batch: Batch): void {
    const kib = batch.bytes / 1024
    const work = batch.fresh ? COST.message * batch.entries.length + COST.encoded * kib : COST.written * kib
    this.#used += COST.write + work
    this.#arm()
  }

  /** @param go called once, in a turn that has budget left; it must look whether it is still wanted */
  wait(go: () => void): void {
    this.#line.push(go)
    this.#arm()
  }

  #arm(): void {
    this.#next ??= setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#next = undefined
    this.#used = 0
    // Each once: those who come back stand behind those who have waited.
    const end = this.#line.length
    while (this.#gone < end && !this.spent) this.#line[this.#gone++]!()
    this.#line = this.#line.slice(this.#gone)
    this.#gone = 0
    if (this.#line.length > 0) this.#arm()
  }
}
