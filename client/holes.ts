import type { Settings } from './settings.ts'
import { jitter } from './time.ts'
import type { GapReason } from './types.ts'

/** How fast holes may follow each other. */
export class Holes {
  readonly #settings: Settings
  /** Logs that were other ones, in a row, and when the last was. */
  #turns = 0
  #turned = 0

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /**
   * Another log is no progress: several behind one address would take turns for ever.
   * @returns milliseconds to wait before the next question, and whether that is to be told
   */
  pause(reason: GapReason): [ms: number, tell: boolean] {
    if (reason === 'trimmed') return [0, false]
    if (Date.now() - this.#turned > this.#settings.cap) this.#turns = 0
    this.#turned = Date.now()
    const turns = this.#turns++
    return [turns && jitter(this.#settings, turns), turns === 1]
  }
}
