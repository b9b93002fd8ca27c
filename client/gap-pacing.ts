import type { Settings } from './settings.ts'
import { jitter } from './time.ts'
import type { GapReason } from './types.ts'

/** How fast holes may follow each other. */
export class GapPacing {
  readonly #settings: Settings
  /** Logs that were other ones, in a row, and when the last was. */
  #changes = 0
  #lastChange = 0

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /**
   * Another log is no progress: several behind one address would take changes for ever.
   * @returns milliseconds to wait before the next question, and whether that is to be told
   */
  pause(reason: GapReason): [ms: number, alternating: boolean] {
    if (reason === 'trimmed') return [0, false]
    if (Date.now() - this.#lastChange > this.#settings.cap) this.#changes = 0
    this.#lastChange = Date.now()
    const changes = this.#changes++
    return [changes && jitter(this.#settings, changes), changes === 1]
  }
}
