import { Roster } from '../bus/roster.ts'
import { Permits } from './permits.ts'

const NONE: ReadonlySet<() => void> = new Set()

/** A reader that is held open: a long poll that waits, a stream, a socket. */
export interface Held {
  /** Its place among the readers. Set by them alone. */
  indexInReaders: number
  /** The server is going away: end with grace, now. */
  goAway(): void
  /** Its permission ran out. */
  revoke(): void
}

/** The readers that one registration holds open, up to a limit. */
export class Readers {
  readonly #limit: number
  readonly #held = new Roster<'indexInReaders', Held>('indexInReaders')
  /** What takes back the permits of those that have some. */
  readonly #releases = new Map<Held, Set<() => void>>()
  readonly #permits = new Permits()
  #closing = false

  constructor(limit: number) {
    this.#limit = limit
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
    this.#held.add(held)
    // Let in, and held up by a hook of the user's while the server closed. Not at once: the reader is being made.
    if (this.#closing) queueMicrotask(() => held.goAway())
    if (permit !== undefined) this.permit(held, permit)
  }

  /** A permit of a held reader. @returns what takes it back */
  permit(held: Held, permit: AbortSignal): () => void {
    if (!this.#held.has(held)) return () => {}
    const releases = this.#releases.get(held) ?? new Set()
    this.#releases.set(held, releases)
    const end = this.#permits.add(permit, () => held.revoke())
    const release = () => {
      end()
      releases.delete(release)
    }
    releases.add(release)
    return release
  }

  /** Releasing twice is harmless. */
  release(held: Held): void {
    for (const release of this.#releases.get(held) ?? NONE) release()
    this.#releases.delete(held)
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
    for (const held of this.#held.all()) held.goAway()
  }
}
