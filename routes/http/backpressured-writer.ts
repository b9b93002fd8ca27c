import { AsyncResource } from 'node:async_hooks'
import type { Writable } from 'node:stream'
import { type Plain, writePast } from './node-internals.ts'
import type { Sent } from './stalls.ts'
import type { Unread } from './unread.ts'

/**
 * The way out to one client: it says when to wait, and watches for a client that takes nothing. What it is given comes
 * from the turns of publishers; what runs code of the user's, as an end does, runs in the context of its own request.
 */
export abstract class BackpressuredWriter extends AsyncResource implements Sent {
  /**
   * What is written to past the stream; null where that can't be. Undefined while something of ours may wait in the
   * stream: when libuv has sent several writes at once, it tells of the first before the stream has sent what waits
   * behind the others.
   */
  #handle: Plain | null | undefined
  /** Listens while it is full: an idle reader has no listener of its own. */
  #onDrain: (() => void) | undefined
  /** @internal */
  readonly stream: Writable
  readonly #unread: Unread
  /** Bytes that went through the stream. */
  put = 0
  #shut = false
  /** Unsent bytes when the stream became full: one batch, which one message may make larger than the bound. */
  #base = 0

  constructor(stream: Writable, unread: Unread) {
    super('TIDINGS_WRITER')
    this.stream = stream
    this.#unread = unread
  }

  /** There is room again. */
  protected abstract drained(): void
  /** Its unsent bytes passed the bound, or the socket took none for too long. */
  protected abstract slow(): void

  /** Whether what is written now would only wait in memory. */
  get full(): boolean {
    return this.#onDrain !== undefined
  }

  /** Sends bytes as they are. */
  protected send(bytes: Buffer | string): void {
    if (bytes.length === 0) return
    if (this.#handle != null && this.#onDrain === undefined && typeof bytes !== 'string') {
      const went = writePast(this.#handle, bytes, this)
      if (went === 'taken') return
      if (went === 'waits') {
        this.#filled()
        return
      }
    }
    const room = this.stream.write(bytes)
    this.put += bytes.length
    if (this.#handle !== null) {
      this.#handle =
        this.stream.writableLength > 0 ? undefined : (this.#unread.path.plainHandle(this.stream) ?? null)
    }
    if (!room || this.full) this.#filled()
    // Little may wait, and for good.
    else if (this.stream.writableLength > 0) this.#unread.stalls.add(this)
  }

  /** To be called after a write that went past this outlet. */
  protected watch(): void {
    if (this.stream.writableNeedDrain) this.#filled()
    else if (this.stream.writableLength > 0) this.#unread.stalls.add(this)
  }

  #filled(): void {
    this.#unread.stalls.add(this)
    if (this.#onDrain === undefined) {
      this.#onDrain = () => this.written()
      this.stream.on('drain', this.#onDrain)
      this.#base = this.stream.writableLength
    } else if (this.stream.writableLength > this.#base + this.#unread.slow.bytes) this.tooSlow()
  }

  /** @internal In the context of its own request, whoever finds out. */
  tooSlow(): void {
    if (!this.#shut) this.runInAsyncScope(this.slow, this)
  }

  /** @internal Whether nothing waits. */
  get over(): boolean {
    return this.#shut || this.#unread.path.waitingBytes(this.stream) === 0
  }

  /** What was written to the stream, or past it, has been taken. */
  written(): void {
    if (this.#onDrain === undefined || this.stream.writableNeedDrain) return
    this.#settle()
    this.drained()
  }

  /** What was written past the stream has failed. */
  failed(): void {
    this.runInAsyncScope(() => this.stream.destroy())
  }

  #settle(): void {
    if (this.#onDrain === undefined) return
    this.stream.off('drain', this.#onDrain)
    this.#onDrain = undefined
  }

  /** Stops watching. The stream itself is the caller's. */
  protected shut(): void {
    this.#shut = true
    this.#unread.stalls.delete(this)
    this.#settle()
  }
}
