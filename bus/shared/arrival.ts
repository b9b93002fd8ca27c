import type { Cursor } from '../cursor.ts'
import { ERR_UNAVAILABLE } from '../errors.ts'
import type { Log } from '../log.ts'

/** Whether a log has a place: it may have it still to come, or may have gone on without it. */
export function arrival(log: Log, { epoch, seq }: Cursor): 'there' | 'not yet' | 'never' {
  const end = log.commonEnd(epoch)
  if (end !== undefined && seq <= end) return 'there'
  return end === undefined || epoch === log.epoch ? 'not yet' : 'never'
}

interface Waiting {
  readonly place: Cursor
  end(error?: Error): void
}

/** Who waits for a log to come to a place. */
export class Arrivals {
  readonly #log: Log
  readonly #waiting = new Set<Waiting>()

  constructor(log: Log) {
    this.#log = log
  }

  /**
   * Resolves once the log has a place, or will never have it.
   * @param patience milliseconds
   * @throws TIDINGS_ERR_UNAVAILABLE where that takes too long
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

  /** The log has moved. */
  look(): void {
    for (const waiting of this.#waiting) if (arrival(this.#log, waiting.place) !== 'not yet') waiting.end()
  }

  close(): void {
    for (const waiting of this.#waiting) waiting.end(new ERR_UNAVAILABLE())
  }
}
