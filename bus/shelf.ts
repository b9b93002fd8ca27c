import { Expiry } from './expiry.ts'
import { Line } from './line.ts'
import type { Entry } from './message.ts'

/** Messages that are taken out for their age in one turn of the event loop. */
const EXPIRED_AT_ONCE = 1000

/** How much of a channel is kept. */
export interface Keep {
  /** Messages. */
  readonly messages: number
  /** Milliseconds; Infinity: no bound. */
  readonly age: number
}

/** The messages of all channels that are kept for as long, the oldest first. */
export class Shelf {
  readonly keep: Keep
  #entries = new Line<Entry>()
  readonly #expiry: Expiry
  readonly #trim: (entry: Entry) => void
  /** What stands up to here has reached its age. */
  #expired = 0
  #trimming: NodeJS.Immediate | undefined
  #closed = false

  /**
   * @param headOf the log's head now
   * @param trim takes a message out, which is the oldest of its channel
   */
  constructor(keep: Keep, headOf: () => number, trim: (entry: Entry) => void) {
    this.keep = keep
    this.#trim = trim
    this.#expiry = new Expiry(keep.age, headOf, (seq) => this.#expire(seq))
  }

  get size(): number {
    return this.#entries.size
  }

  get first(): Entry | undefined {
    return this.#entries.first
  }

  get last(): Entry | undefined {
    return this.#entries.last
  }

  add(entry: Entry): void {
    this.#entries.add(entry)
    if (!this.#closed) this.#expiry.arm()
  }

  delete(entry: Entry): void {
    this.#entries.delete(entry)
  }

  /** A message that is added next was accepted earlier: see `Expiry`. */
  note(seq: number, at: number): void {
    this.#expiry.note(seq, at)
  }

  /** What stood after this seq is gone. */
  cut(end: number): void {
    this.#expired = Math.min(this.#expired, end)
    this.#expiry.cut(end)
  }

  clear(): void {
    this.#entries = new Line()
    this.cut(0)
  }

  /** Takes out what has reached its age, in as many turns of the event loop as it needs. */
  #expire(seq: number): void {
    this.#expired = seq
    this.#trimming ??= setImmediate(() => {
      this.#trimming = undefined
      for (let i = 0; i < EXPIRED_AT_ONCE; i++) {
        const oldest = this.first
        if (oldest === undefined || oldest.seq > this.#expired) return
        this.#trim(oldest)
      }
      this.#expire(this.#expired)
    })
  }

  /** Stops the timers. */
  close(): void {
    this.#closed = true
    this.#expiry.close()
    clearImmediate(this.#trimming)
  }
}
