import { isCursor } from './place.ts'
import type { Settings } from './settings.ts'
import { jitter } from './time.ts'
import type { Gap, GapReason } from './types.ts'

const LOAD = 'load the present state, then go on from the cursor.'
const ADVICE = {
  trimmed: `Messages were dropped before they were read: ${LOAD}`,
  epoch: `The log has started over: drop what was built from it, ${LOAD}`,
  ahead: `The log has lost messages that were read: ${LOAD}`,
}

/** What is to be said of holes, and how fast they may follow each other. */
export class Holes {
  readonly #settings: Settings
  /** Logs that were other ones, in a row, and when the last was. */
  #turns = 0
  #turned = 0

  constructor(settings: Settings) {
    this.#settings = settings
  }

  describe(reason: GapReason, cursor: string, place: string, channel: string | undefined): Gap {
    return { reason, cursor, from: isCursor(place) ? place : undefined, channel, advice: ADVICE[reason] }
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
