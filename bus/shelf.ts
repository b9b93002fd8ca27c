import { Expiry } from './expiry.ts'
import { Line } from './line.ts'
import type { Entry } from './message.ts'

/** Maximum number of expired messages removed in one turn of the event loop. */
const EXPIRED_AT_ONCE = 1000

/** Limits of a channel. */
export interface Keep {
  /** Maximum number of messages. */
  readonly messages: number
  /** Maximum age in milliseconds; Infinity: no limit. */
  readonly age: number
}

/** The messages of all channels with the same limits, oldest first. */
export class Shelf {
  readonly keep: Keep
  #entries = new Line<Entry>()
  readonly #expiry: Expiry
  readonly #trim: (entry: Entry) => void
  /** The seq up to which messages have expired. */
  #expired = 0
  #trimming: NodeJS.Immediate | undefined
  #closed = false

  /**
   * @param headOf the log's head now
   * @param trim removes a message, which is the oldest of its channel
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

  /** Notes when the next message was accepted: see `Expiry`. */
  note(seq: number, at: number): void {
    this.#expiry.note(seq, at)
  }

  /** Forgets everything after this seq. */
  cut(end: number): void {
    this.#expired = Math.min(this.#expired, end)
    this.#expiry.cut(end)
  }

  clear(): void {
    this.#entries = new Line()
    this.cut(0)
  }

  /** Removes expired messages, in as many turns of the event loop as needed. */
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
