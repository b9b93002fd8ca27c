import type { Writable } from 'node:stream'
import { isPlainSocket, takenBytes, writePast } from './internals.ts'

/** Whose bytes go out. */
export interface Sender {
  /** There is room again. */
  drained(): void
  /** Its unsent bytes passed the bound, or the socket took none for too long. */
  tooSlow(): void
}

/** When a reader that does not keep up is ended: unsent bytes, and milliseconds without a byte taken. */
export interface Slow {
  readonly bytes: number
  readonly timeout: number
}

/** The way out to one client: it says when to wait, and watches for a client that takes nothing. */
export class Outlet {
  readonly #stream: Writable
  readonly #slow: Slow
  readonly #sender: Sender
  readonly #plain: boolean
  /** Listens while it is full: an idle reader has no listener of its own. */
  #onDrain: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  /** Unsent bytes when the stream became full: one batch, which one message may make larger than the bound. */
  #base = 0

  constructor(stream: Writable, slow: Slow, sender: Sender) {
    this.#stream = stream
    this.#slow = slow
    this.#sender = sender
    this.#plain = isPlainSocket(stream)
  }

  /** Whether what is written now would only wait in memory. */
  get full(): boolean {
    return this.#onDrain !== undefined
  }

  write(bytes: Buffer | string): void {
    const went = this.#plain && typeof bytes !== 'string' ? writePast(this.#stream, bytes, this) : 'refused'
    if (went === 'taken') return
    if (went === 'waits' || !this.#stream.write(bytes) || this.full) this.#filled()
  }

  /** To be called after a write that went past this outlet. */
  watch(): void {
    if (this.#stream.writableNeedDrain) this.#filled()
  }

  #filled(): void {
    if (this.#onDrain === undefined) {
      this.#onDrain = () => this.drained()
      this.#stream.on('drain', this.#onDrain)
      this.#base = this.#stream.writableLength
      this.#timer = this.#arm(takenBytes(this.#stream))
    } else if (this.#stream.writableLength > this.#base + this.#slow.bytes) {
      this.#settle()
      this.#sender.tooSlow()
    }
  }

  #arm(taken: number): NodeJS.Timeout {
    return setTimeout(() => {
      const now = takenBytes(this.#stream)
      this.#timer = undefined
      if (now === taken) this.#sender.tooSlow()
      else this.#timer = this.#arm(now)
    }, this.#slow.timeout).unref()
  }

  #settle(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** What was written to the stream, or past it, has been taken. */
  drained(): void {
    if (this.#onDrain === undefined || this.#stream.writableNeedDrain) return
    this.close()
    this.#sender.drained()
  }

  /** Stops watching. The stream itself is the caller's. */
  close(): void {
    if (this.#onDrain === undefined) return
    this.#settle()
    this.#stream.off('drain', this.#onDrain)
    this.#onDrain = undefined
  }
}
