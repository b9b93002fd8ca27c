import type { Settings } from './settings.ts'
import { jitter } from './time.ts'
import type { GapReason } from './types.ts'

/** Delays between consecutive gaps. */
export class GapPacing {
  readonly #settings: Settings
  /** Consecutive epoch changes, and the time of the last one. */
  #changes = 0
  #lastChange = 0

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /**
   * A new epoch does not count as progress: several logs behind one URL would alternate forever.
   * @returns milliseconds to wait before the next request, and whether to report an error
   */
  pause(reason: GapReason): [ms: number, alternating: boolean] {
    if (reason === 'trimmed') return [0, false]
    if (Date.now() - this.#lastChange > this.#settings.cap) this.#changes = 0
    this.#lastChange = Date.now()
    const changes = this.#changes++
    return [changes && jitter(this.#settings, changes), changes === 1]
  }
}
