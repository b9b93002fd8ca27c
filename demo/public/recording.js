import { currentLanguage, onLanguage } from './i18n.js'

/**
 * One part of a recorded lesson: the calls on its lanes, in order.
 *
 * @typedef {object} Part
 * @property {number} from milliseconds since 1970, of the server's clock, when its script began
 * @property {number} lasts milliseconds that the script took
 * @property {Step[]} steps
 * @property {{ transport: string, delay: number }[]} [heard] what the script returned
 *
 * @typedef {{ parts: Record<string, Part> }} Run
 *
 * @typedef {object} Step
 * @property {number} after milliseconds since `from`
 * @property {'piece' | 'count' | 'got' | 'say' | 'published'} call a method of the lane, or of the chart
 * @property {string} [lane] its transport
 * @property {any} value
 * @property {string} [caption] key of the words on the arrow that it draws
 */

/** Milliseconds before a script begins, in which the lesson introduces the part. */
const LEAD = 1200

/**
 * A recorded run of the lesson, in place of a server: the same calls on the lanes and the chart, at the same times. A
 * clock of its own shows the time of the recording, which the bytes and the ages of the messages refer to.
 */
export class Recording {
  clock = new RecordedClock()
  /** In place of those that need a server. @type {Record<string, (scene: import('./scene.js').Scene) => Promise<any>>} */
  scripts
  #stage
  /** The runs by language, once they are there. @type {Map<string, Run>} */
  #runs = new Map()
  /** The run in the language of now, or in the one before while that is on its way. @type {Run} */
  #run
  /** @type {Part} */
  #part

  /** @param {import('./stage.js').Stage} stage */
  constructor(stage) {
    this.#stage = stage
    const names = [...stage.lanes.keys(), 'cross']
    this.scripts = Object.fromEntries(names.map((name) => [name, (scene) => this.#play(scene)]))
  }

  /** Loads the run in the current language, and again when the language changes. */
  async open() {
    await this.#load()
    onLanguage(() => this.#load().catch(() => {}))
  }

  async #load() {
    const language = currentLanguage()
    if (!this.#runs.has(language))
      this.#runs.set(language, await fetchRun(this.#stage.urlOf(`recording/${language}.json`)))
    this.#run = this.#runs.get(currentLanguage()) ?? this.#run
  }

  /** When it was made. */
  get date() {
    return new Date(this.#run.parts.poll.from)
  }

  /** A part is about to play. @param {string} name @param {number} pace how many times as long as it was */
  begin(name, pace) {
    this.#part = this.#run.parts[name]
    this.clock.begin(this.#part.from - LEAD, this.#part.from, 1 / pace)
  }

  /** @param {import('./scene.js').Scene} scene */
  async #play(scene) {
    const { from, lasts, steps, heard } = this.#part
    const lanes = new Map(scene.lanes.map((lane) => [lane.transport, lane]))
    // Connections and totals start at 0 in each part.
    for (const lane of scene.lanes) {
      lane.clear()
      lane.forget()
    }
    for (const { after, call, lane: transport, value, caption } of steps) {
      await this.#until(from + after, scene)
      const lane = lanes.get(transport)
      if (call === 'published') {
        this.#stage.chart.published(value)
        continue
      }
      lane.caption = () => caption
      if (call === 'got') lane.cursor = value.cursor
      lane[call](value)
    }
    await this.#until(from + lasts, scene)
    return heard
  }

  /** The clock stops at the next step, so that a slow page draws nothing later than it happened. */
  async #until(time, scene) {
    this.clock.limit = time
    const rest = time - this.clock.now
    if (rest > 0) await scene.pause(rest)
    scene.signal.throwIfAborted()
  }
}

/** @param {URL} url @returns {Promise<Run>} */
async function fetchRun(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${response.status} ${url.pathname}`)
  return response.json()
}

/** The time of the recording. It stops when nothing plays, and at each step until the step is taken. */
class RecordedClock {
  #at = 0
  #rate = 1
  #limit = 0
  /** @type {number | undefined} when it began to go on, or undefined where it stands still */
  #since

  get now() {
    if (this.#since === undefined) return this.#at
    return Math.min(this.#limit, this.#at + (performance.now() - this.#since) * this.#rate)
  }

  set limit(limit) {
    // Do not count the time spent at the previous limit.
    this.#at = this.now
    if (this.#since !== undefined) this.#since = performance.now()
    this.#limit = limit
  }

  /** @param {number} at @param {number} limit @param {number} rate */
  begin(at, limit, rate) {
    this.#at = at
    this.#limit = limit
    this.#rate = rate
    this.#since = performance.now()
  }

  hold() {
    this.#at = this.now
    this.#since = undefined
  }

  go() {
    this.#since ??= performance.now()
  }
}
