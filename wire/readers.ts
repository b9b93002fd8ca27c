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
  readonly #held = new Map<Held, () => void>()
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
    const revoke = () => held.revoke()
    permit?.addEventListener('abort', revoke)
    this.#held.set(held, () => permit?.removeEventListener('abort', revoke))
  }

  /** A further permit of a held reader. */
  permit(held: Held, permit: AbortSignal): void {
    const release = this.#held.get(held)
    if (release === undefined) return
    const revoke = () => held.revoke()
    permit.addEventListener('abort', revoke)
    this.#held.set(held, () => {
      release()
      permit.removeEventListener('abort', revoke)
    })
  }

  /** Releasing twice is harmless. */
  release(held: Held): void {
    this.#held.get(held)?.()
    this.#held.delete(held)
  }

  /** Ends them all, and holds no more. */
  close(): void {
    this.#closing = true
    for (const held of [...this.#held.keys()]) held.goAway()
  }
}
