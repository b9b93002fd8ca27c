import { AsyncResource } from 'node:async_hooks'
import type { Writable } from 'node:stream'
import { type Plain, writePast } from './node-internals.ts'
import type { Sent } from './stalls.ts'
import type { Unread } from './unread.ts'

/**
 * Writes to one client. It says when to wait, and detects a client that reads nothing. Writes come from the turns of
 * publishers. Code that may call the user's, such as an end, runs in the async context of the client's own request.
 */
export abstract class BackpressuredWriter extends AsyncResource implements Sent {
  /**
   * The handle for writes that bypass the stream; null if the stream cannot be bypassed. Undefined while the stream may
   * hold bytes: after several writes at once, libuv completes the first before the stream has sent the bytes that wait
   * behind the others.
   */
  #handle: Plain | null | undefined
  /** The listener for `drain`, only while the stream is full: an idle reader has none. */
  #onDrain: (() => void) | undefined
  /** @internal */
  readonly stream: Writable
  readonly #unread: Unread
  /** Bytes written to the stream. */
  put = 0
  #shut = false
  /** Unsent bytes when the stream became full: one batch, which may exceed the limit by one message. */
  #base = 0

  constructor(stream: Writable, unread: Unread) {
    super('TIDINGS_WRITER')
    this.stream = stream
    this.#unread = unread
  }

  /** Called when there is room again. */
  protected abstract drained(): void
  /** Called when the unsent bytes exceed the limit, or the socket accepted none for too long. */
  protected abstract slow(): void

  /** Whether further writes would only wait in memory. */
  get full(): boolean {
    return this.#onDrain !== undefined
  }

  /** Writes bytes. */
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
    // Even a few bytes may wait for ever.
    else if (this.stream.writableLength > 0) this.#unread.stalls.add(this)
  }

  /** Call it after a write that bypassed this writer. */
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

  /** @internal Runs in the async context of its own request. */
  tooSlow(): void {
    if (!this.#shut) this.runInAsyncScope(this.slow, this)
  }

  /** @internal Whether no bytes wait. */
  get over(): boolean {
    return this.#shut || this.#unread.path.waitingBytes(this.stream) === 0
  }

  /** The socket has accepted all writes. */
  written(): void {
    if (this.#onDrain === undefined || this.stream.writableNeedDrain) return
    this.#settle()
    this.drained()
  }

  /** A write that bypassed the stream has failed. */
  failed(): void {
    this.runInAsyncScope(() => this.stream.destroy())
  }

  #settle(): void {
    if (this.#onDrain === undefined) return
    this.stream.off('drain', this.#onDrain)
    this.#onDrain = undefined
  }

  /** Stops watching. The caller ends the stream. */
  protected shut(): void {
    this.#shut = true
    this.#unread.stalls.delete(this)
    this.#settle()
  }
}
