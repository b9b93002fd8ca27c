import { AsyncResource } from 'node:async_hooks'
import type { Writable } from 'node:stream'
import { type Plain, plainHandle, takenBytes, writePast } from './internals.ts'

/** When a reader that does not keep up is ended: unsent bytes, and milliseconds without a byte taken. */
export interface Slow {
  readonly bytes: number
  readonly timeout: number
}

/**
 * The way out to one client: it says when to wait, and watches for a client that takes nothing. What it is given comes
 * from the turns of publishers; what runs code of the user's, as an end does, runs in the context of its own request.
 */
export abstract class Outlet extends AsyncResource {
  /**
   * What is written to past the stream; null where that can't be. Undefined while something of ours may wait in the
   * stream: when libuv has sent several writes at once, it tells of the first before the stream has sent what waits
   * behind the others.
   */
  #handle: Plain | null | undefined
  /** Listens while it is full: an idle reader has no listener of its own. */
  #onDrain: (() => void) | undefined
  protected readonly stream: Writable
  readonly #slow: Slow
  #timer: NodeJS.Timeout | undefined
  /** Unsent bytes when the stream became full: one batch, which one message may make larger than the bound. */
  #base = 0

  constructor(stream: Writable, slow: Slow) {
    super('TIDINGS_OUTLET')
    this.stream = stream
    this.#slow = slow
  }

  /** There is room again. */
  protected abstract drained(): void
  /** Its unsent bytes passed the bound, or the socket took none for too long. */
  protected abstract tooSlow(): void

  /** Whether what is written now would only wait in memory. */
  get full(): boolean {
    return this.#onDrain !== undefined
  }

  /** Sends bytes as they are. */
  protected put(bytes: Buffer | string): void {
    if (this.#handle != null && this.#onDrain === undefined && typeof bytes !== 'string') {
      const went = writePast(this.#handle, bytes, this)
      if (went === 'taken') return
      if (went === 'waits') {
        this.#filled()
        return
      }
    }
    const room = this.stream.write(bytes)
    if (this.#handle !== null) {
      this.#handle = this.stream.writableLength > 0 ? undefined : (plainHandle(this.stream) ?? null)
    }
    if (!room || this.full) this.#filled()
  }

  /** To be called after a write that went past this outlet. */
  protected watch(): void {
    if (this.stream.writableNeedDrain) this.#filled()
  }

  #filled(): void {
    if (this.#onDrain === undefined) {
      this.#onDrain = () => this.written()
      this.stream.on('drain', this.#onDrain)
      this.#base = this.stream.writableLength
      this.#timer = this.#arm(takenBytes(this.stream))
    } else if (this.stream.writableLength > this.#base + this.#slow.bytes) {
      this.#settle()
      this.runInAsyncScope(this.tooSlow, this)
    }
  }

  #arm(taken: number): NodeJS.Timeout {
    return setTimeout(() => {
      const now = takenBytes(this.stream)
      this.#timer = undefined
      if (now === taken) this.runInAsyncScope(this.tooSlow, this)
      else this.#timer = this.#arm(now)
    }, this.#slow.timeout).unref()
  }

  #settle(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** What was written to the stream, or past it, has been taken. */
  written(): void {
    if (this.#onDrain === undefined || this.stream.writableNeedDrain) return
    this.shut()
    this.drained()
  }

  /** What was written past the stream has failed. */
  failed(): void {
    this.runInAsyncScope(() => this.stream.destroy())
  }

  /** Stops watching. The stream itself is the caller's. */
  protected shut(): void {
    if (this.#onDrain === undefined) return
    this.#settle()
    this.stream.off('drain', this.#onDrain)
    this.#onDrain = undefined
  }
}
