import type { Batch, Encoder } from './batch.ts'

/** Budget of one turn of the event loop for all readers of old messages: about 2 ms of work. */
export const TURN = 2048

/**
 * Costs: of a write and each KiB of it; if the batch was not encoded before, also of each message and each KiB that is
 * encoded, and of the same again if they are compressed.
 */
const COST = { write: 32, written: 2, message: 0.5, encoded: 4, compressedMessage: 12, compressed: 6 }

/**
 * Shares the event loop between readers of old messages and everything else. Once a turn's budget is spent, further
 * readers wait for a later turn. Between two turns, sockets are read, timers run, and live readers get new messages.
 */
export class Turns {
  #used = 0
  /** Waiting readers, in order. Those before `#gone` have had their turn. */
  #line: (() => void)[] = []
  #gone = 0
  #next: NodeJS.Immediate | undefined

  /** Whether this turn's budget is spent. */
  get spent(): boolean {
    return this.#used >= TURN
  }

  /** Number of waiting readers. */
  get waiting(): number {
    return this.#line.length - this.#gone
  }

  /** Charges a batch. Call it after the read and before the encoding. @param encoder the one that will encode it */
  charge(batch: Batch, encoder?: Encoder<unknown>): void {
    const kib = batch.bytes / 1024
    const count = batch.entries.length
    this.#used += COST.write
    if (!batch.fresh(encoder)) this.#used += COST.written * kib
    else {
      this.#used += COST.message * count + COST.encoded * kib
      if (encoder?.compresses) this.#used += COST.compressedMessage * count + COST.compressed * kib
    }
    this.#arm()
  }

  /** @param go called once, in a turn with budget left. It must check whether it is still needed */
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
    // Each once: a reader that comes back waits behind the others.
    const end = this.#line.length
    while (this.#gone < end && !this.spent) this.#line[this.#gone++]!()
    this.#line = this.#line.slice(this.#gone)
    this.#gone = 0
    if (this.#line.length > 0) this.#arm()
  }
}
