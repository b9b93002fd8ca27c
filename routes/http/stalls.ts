import type { Writable } from 'node:stream'
import { FAST, type FastPath } from './fast-path.ts'

/** Limits of a slow client: unsent bytes, and milliseconds without progress. */
export interface Slow {
  readonly bytes: number
  readonly timeout: number
}

/** A write that its client has not read yet. */
export interface Sent {
  /** The stream that was written to. */
  readonly stream: Writable
  /** The total written to the stream, in bytes or chunks. */
  readonly put: number
  /** Whether the client has read all of it. */
  readonly over: boolean
  /** Called if the client made no progress for too long. */
  tooSlow(): void
}

/** The progress at the last check, and the checks since then. */
interface Mark {
  taken: number
  checks: number
}

/**
 * Checks per timeout. Checks are counted, not milliseconds: a process that was blocked or stopped for longer than the
 * timeout has not given its clients the time to read.
 */
const CHECKS = 4

/**
 * Bytes of an HTTP/2 write per timeout. An HTTP/2 stream reports a write only when all of it is sent, so a large write
 * gets several timeouts.
 */
const PIECE = 65_536

/**
 * The clients that have unread bytes. One timer checks them all, and ends clients without progress, however few bytes
 * wait. Node 24 does not detect that a TLS client was reset right after its handshake: writes to it never complete, and
 * it emits no 'close'.
 */
export class Stalls {
  readonly #timeout: number
  readonly #path: FastPath
  readonly #waiting = new Map<Sent, Mark>()
  #timer: NodeJS.Timeout | undefined

  /** @param timeout milliseconds */
  constructor(timeout: number, path = FAST) {
    this.#timeout = timeout
    this.#path = path
  }

  get size(): number {
    return this.#waiting.size
  }

  /** In order of their deadlines. */
  all(): Sent[] {
    return [...this.#waiting.keys()]
  }

  /** Watches a write that was not read at once. May be called more than once. */
  add(sent: Sent): void {
    if (this.#waiting.has(sent)) return
    // The time until the first check does not count.
    this.#waiting.set(sent, { taken: this.#path.takenBytes(sent.stream, sent.put), checks: -1 })
    this.#timer ??= setInterval(() => this.#sweep(), Math.max(this.#timeout / CHECKS, 1)).unref()
  }

  /** Stops watching. May be called more than once. */
  delete(sent: Sent): void {
    this.#waiting.delete(sent)
  }

  #sweep(): void {
    for (const [sent, mark] of this.#waiting) {
      const { stream, put, over } = sent
      const waits = this.#path.waitingBytes(stream)
      const taken = this.#path.takenBytes(stream, put)
      // An answer that waits for an earlier one, or for a user's hook, is not stalled by its client.
      if (over || stream.destroyed) this.#waiting.delete(sent)
      else if (taken !== mark.taken || waits === 0) {
        mark.taken = taken
        mark.checks = 0
      } else if (++mark.checks >= CHECKS * patience(stream, waits)) {
        this.#waiting.delete(sent)
        sent.tooSlow()
      }
    }
    if (this.#waiting.size === 0) this.close()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function patience(stream: Writable, waits: number): number {
  return 'session' in stream ? Math.ceil(waits / PIECE) : 1
}
