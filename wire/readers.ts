import { Permits } from './permits.ts'

/** A reader that is held open: a long poll that waits, a stream, a socket. */
export interface Held {
  /** The server is going away: end with grace, now. */
  goAway(): void
  /** Its permission ran out. */
  revoke(): void
}

/** The readers that one registration holds open, up to a limit. */
export class Readers {
  readonly #limit: number
  /** With what takes back each of their permits. */
  readonly #held = new Map<Held, Set<() => void> | undefined>()
  readonly #permits = new Permits()
  #closing = false

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#held.size
  }

  /** Whether no further reader can be held. */
  get full(): boolean {
    return this.#closing || this.#held.size >= this.#limit
  }

  /**
   * Asked for in the same turn in which `full` was false.
   * @param permit the reader is ended when it aborts
   */
  hold(held: Held, permit?: AbortSignal): void {
    this.#held.set(held, undefined)
    // Let in, and held up by a hook of the user's while the server closed. Not at once: the reader is being made.
    if (this.#closing) queueMicrotask(() => held.goAway())
    if (permit !== undefined) this.permit(held, permit)
  }

  /** A permit of a held reader. @returns what takes it back */
  permit(held: Held, permit: AbortSignal): () => void {
    if (!this.#held.has(held)) return () => {}
    const permits = this.#held.get(held) ?? new Set()
    this.#held.set(held, permits)
    const end = this.#permits.add(permit, () => held.revoke())
    const release = () => {
      end()
      permits.delete(release)
    }
    permits.add(release)
    return release
  }

  /** Releasing twice is harmless. */
  release(held: Held): void {
    for (const release of this.#held.get(held) ?? []) release()
    this.#held.delete(held)
  }

  /** Whether the server is going away. */
  get closing(): boolean {
    return this.#closing
  }

  /**
   * Ends them all, and holds no more.
   * @param flush hands out what was published in this turn
   */
  close(flush: () => void): void {
    this.#closing = true
    flush()
    for (const held of [...this.#held.keys()]) held.goAway()
  }
}
