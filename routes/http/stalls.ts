import type { Writable } from 'node:stream'
import { FAST, type FastPath } from './fast-path.ts'

/** When a client that does not keep up is ended: unsent bytes, and milliseconds in which it took none. */
export interface Slow {
  readonly bytes: number
  readonly timeout: number
}

/** What waits for its client. */
export interface Sent {
  /** What it was written to. */
  readonly stream: Writable
  /** What was written to the stream in all: bytes, or pieces. */
  readonly put: number
  /** Whether nothing of it waits any more. */
  readonly over: boolean
  /** Its client has taken nothing for too long. */
  tooSlow(): void
}

/** What of it had been taken when that was last seen to change. */
interface Mark {
  taken: number
  at: number
}

/**
 * Bytes of one write to a stream of HTTP/2 that may take the whole of the timeout. Such a stream tells of a write when
 * all of it has gone, and of no part: a large one has the time of several.
 */
const PIECE = 65_536

/**
 * Who has been sent something that has not been taken yet. One timer looks after them all, and ends those whose client
 * takes no byte for as long as it may: it need not be much that waits. Node 24 never sees the end of a TLS client that
 * is reset right after its handshake: what is written to it waits for good, and no 'close' comes.
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

  /** Those who wait, the first first. */
  all(): Sent[] {
    return [...this.#waiting.keys()]
  }

  /** Something was sent that was not taken at once. Adding twice is harmless. */
  add(sent: Sent): void {
    if (this.#waiting.has(sent)) return
    this.#waiting.set(sent, { taken: this.#path.takenBytes(sent.stream, sent.put), at: performance.now() })
    this.#timer ??= setInterval(() => this.#sweep(), Math.max(this.#timeout / 4, 1)).unref()
  }

  /** Deleting twice is harmless. */
  delete(sent: Sent): void {
    this.#waiting.delete(sent)
  }

  #sweep(): void {
    const now = performance.now()
    for (const [sent, mark] of this.#waiting) {
      const { stream, put, over } = sent
      const waits = this.#path.waitingBytes(stream)
      const taken = this.#path.takenBytes(stream, put)
      // An answer that waits for an earlier one, or for a hook of the user's, is not its client's fault.
      if (over || stream.destroyed) this.#waiting.delete(sent)
      else if (taken !== mark.taken || waits === 0) {
        mark.taken = taken
        mark.at = now
      } else if (now - mark.at >= this.#timeout * patience(stream, waits)) {
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
