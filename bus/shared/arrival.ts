import type { Cursor } from '../cursor.ts'
import { ERR_UNAVAILABLE } from '../errors.ts'
import type { Log } from '../log.ts'

/**
 * Whether a log has reached a place, may still reach it, or never will. A log knows past epochs of its engine before it
 * has read their messages. Until it has read all that it shares with the epoch of the place, it cannot tell.
 */
export function arrival(log: Log, { epoch, seq }: Cursor): 'there' | 'not yet' | 'never' {
  const end = log.commonEnd(epoch)
  if (end === undefined || Math.min(seq, end) > log.head) return 'not yet'
  if (seq <= end) return 'there'
  return epoch === log.epoch ? 'not yet' : 'never'
}

interface Waiting {
  readonly place: Cursor
  end(error?: Error): void
}

/** Waits for a log to reach places. */
export class Arrivals {
  readonly #log: Log
  readonly #waiting = new Set<Waiting>()

  constructor(log: Log) {
    this.#log = log
  }

  /**
   * Resolves once the log has reached a place, or never will.
   * @param patience milliseconds
   * @throws TIDINGS_ERR_UNAVAILABLE after `patience`
   */
  async wait(place: Cursor, patience: number): Promise<void> {
    if (arrival(this.#log, place) !== 'not yet') return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => waiting.end(new ERR_UNAVAILABLE()), patience)
      const waiting: Waiting = {
        place,
        end: (error) => {
          clearTimeout(timer)
          this.#waiting.delete(waiting)
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      this.#waiting.add(waiting)
    })
  }

  /** Checks all waits, after the log has changed. */
  look(): void {
    for (const waiting of this.#waiting) if (arrival(this.#log, waiting.place) !== 'not yet') waiting.end()
  }

  close(): void {
    for (const waiting of this.#waiting) waiting.end(new ERR_UNAVAILABLE())
  }
}
