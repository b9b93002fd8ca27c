import { Chart } from './chart.js'
import { DeliveryTracker } from './delivery-tracker.js'
import { showDetails } from './details.js'
import { t } from './i18n.js'
import { Lane } from './lane.js'
import { Tap } from './tap.js'

/** The state of the page: its lanes, the traffic feed, and its settings. */
export class Stage extends EventTarget {
  /** The available parts, as `page.json` lists them. */
  offers = {}
  channel = 'default'
  /** Maximum milliseconds between two polls. */
  pollInterval = 2000
  ledger = new DeliveryTracker()
  /** @type {Map<string, Lane>} */
  lanes = new Map()
  /** @type {Chart} */
  chart
  /** @type {Tap | undefined} */
  tap
  /** Set if there is no server. @type {import('./recording.js').Recording | undefined} */
  recording
  #byId = new Map()
  #running = false

  /** @param {string} path */
  urlOf(path) {
    return new URL(path, document.baseURI)
  }

  /** Milliseconds by which the server's clock is ahead. */
  get offset() {
    return this.tap?.offset ?? 0
  }

  /** The server's time in milliseconds since 1970. */
  get now() {
    return this.recording?.clock.now ?? Date.now() + this.offset
  }

  async open() {
    this.offers = await (await fetch(this.urlOf('page.json'))).json()
    for (const article of document.querySelectorAll('.lane')) {
      const name = article.dataset.lane
      if (!this.offers[name]) {
        const parts = document.querySelectorAll(`[data-lane="${name}"], [data-pick="${name}"]`)
        for (const part of parts) part.hidden = true
        continue
      }
      const lane = new Lane(article, this)
      this.lanes.set(lane.transport, lane)
      this.#byId.set(lane.id, lane)
    }
    this.chart = new Chart(
      document.querySelector('#chart'),
      [...this.lanes.keys()],
      () => this.now,
      (arrow, lane) => showDetails(arrow, t(`lane.${lane}`)),
    )
    if (this.offers.recording) {
      const { Recording } = await import('./recording.js')
      this.recording = new Recording(this)
      await this.recording.open()
      return
    }
    if (this.offers.demo) await this.#watch()
    document.addEventListener('visibilitychange', () => {
      if (!this.#running) return
      // Over HTTP/1.1, all tabs of a browser share six connections to a server. A hidden page frees its connections,
      // and continues at its cursors when it is visible again.
      if (document.visibilityState === 'visible') this.start()
      else for (const lane of this.lanes.values()) lane.stop()
    })
  }

  async #watch() {
    const url = this.urlOf('demo/tap')
    for (const id of this.#byId.keys()) url.searchParams.append('lane', id)
    const tap = new Tap(url)
    this.tap = tap
    tap.addEventListener('pieces', ({ pieces, left, totals }) => {
      for (const piece of pieces) {
        if (piece.kind === 'published') this.chart.published(piece.at)
        else this.#byId.get(piece.lane)?.piece(piece)
      }
      for (const [id, all] of Object.entries(totals)) this.#byId.get(id)?.count(all)
      for (const lane of left > 0 ? this.lanes.keys() : []) {
        this.chart.mark(lane, 'diagram.skipped', { count: left })
      }
    })
    tap.addEventListener('lost', () => {
      for (const lane of this.lanes.values()) lane.away()
    })
    tap.addEventListener('ready', () => this.#follow())
    await tap.open()
  }

  /** Asks the server to report each publish. */
  #follow() {
    this.tap?.control({ type: 'follow', channel: this.channel }).catch(() => {})
  }

  /** Whether the traffic of the lanes is visible. */
  get sees() {
    return Boolean(this.offers.demo || this.offers.recording)
  }

  /** Whether the lanes read live messages, outside the lesson. */
  get running() {
    return this.#running
  }

  start() {
    // A recording has no live messages.
    if (this.recording) return
    this.#running = true
    if (document.visibilityState !== 'visible') return
    for (const lane of this.lanes.values()) lane.start()
  }

  stop() {
    this.#running = false
    for (const lane of this.lanes.values()) lane.stop()
  }

  /** Resets all lanes, and switches them to a channel. */
  clear(channel, cursor) {
    this.channel = channel
    this.ledger.clear()
    this.#follow()
    this.chart.together()
    for (const lane of this.lanes.values()) lane.clear(cursor)
    this.dispatchEvent(new Event('clear'))
  }

  /** @param {{ transport: string, cursor: string, time: number, delay: number, data: unknown }} delivery */
  delivered(delivery) {
    this.dispatchEvent(Object.assign(new Event('delivery'), delivery))
  }

  /**
   * @param {string} text
   * @returns {Promise<{ cursor: string, time: number }>}
   */
  async publish(text, channel = this.channel) {
    const url = this.urlOf('publish')
    url.searchParams.set('channel', channel)
    const response = await fetch(url, { method: 'POST', body: text })
    const answer = await response.json()
    if (!response.ok) throw new Error(answer.message)
    return answer
  }

  /** The head of the log. @returns {Promise<string>} */
  async place(channel = this.channel) {
    const url = this.urlOf('poll')
    url.searchParams.set('channel', channel)
    return (await (await fetch(url, { cache: 'no-store' })).json()).cursor
  }
}

export const stage = new Stage()
