import { Arrows } from './arrow.js'
import { onBeat } from './beat.js'
import { headersOf } from './bytes.js'
import { Figures } from './figures.js'
import { onLanguage, t } from './i18n.js'
import { newsOf } from './meaning.js'
import { RemoteFeed } from './remote-feed.js'

/** The state of a connection after each kind of arrow. A response ends a held request; streams and sockets stay open. */
const AFTER = {
  ask: '',
  listen: '',
  switch: '',
  request: '',
  hold: 'held',
  no: '',
  yes: '',
  several: '',
  refused: '',
  answer: '',
  stream: 'open',
  switched: 'both',
  end: '',
  bye: '',
}

/**
 * One lane: a reader of its own, what goes over its connections, and what that costs. It fires `arrow` with each of
 * them, after it is drawn, and the key of its caption; `delivery` with each message; `open`, `gap` and `cut`.
 */
export class Lane extends EventTarget {
  transport
  id = laneId()
  figures
  totals
  /** Added one-way delay in milliseconds. */
  delay = 0
  /** Returns the key of an arrow's caption, if it has one. */
  caption
  /** Size of the header lines of the last request. */
  headers = 0
  #cut = false
  #stage
  #feed
  /** The client that was stopped last. The next one continues at its cursor. */
  #last
  #options = {}
  /** When it began to read, by the server's clock. */
  #since = 0
  /** Restarts a lane that is on hold. */
  #resume
  #cursor
  #arrows = new Arrows()
  /** The connection of the current bar in the diagram. */
  #carrier
  #status
  #said = 'lane.status.off'
  #show = () => this.#showFigures()
  /** The server's totals when the lane was cleared. */
  #before = { requests: 0, empty: 0, up: 0, down: 0 }
  #all

  /** @param {HTMLElement} article @param {import('./stage.js').Stage} stage */
  constructor(article, stage) {
    super()
    document.addEventListener('visibilitychange', () => {
      this.#since = this.#stage.now
    })
    this.transport = article.dataset.lane
    this.element = article
    this.#stage = stage
    this.#status = document.createElement('p')
    this.#status.className = 'status'
    article.querySelector('header').append(this.#status)
    this.figures = new Figures(article, () => this.#reset())
    onLanguage(() => {
      this.say(this.#said)
      this.#show()
    })
    this.say(this.#said)
  }

  /** Whether its network is cut. */
  get isCut() {
    return this.#cut
  }

  set isCut(cut) {
    this.#cut = cut
    this.dispatchEvent(new Event('cut'))
  }

  /** Its cursor. */
  get cursor() {
    return (this.#feed ?? this.#last)?.cursor ?? this.#cursor
  }

  /** Sets the cursor where no client reads. */
  set cursor(cursor) {
    this.#cursor = cursor
  }

  /** The base URL of the lane's routes. */
  get url() {
    return this.#stage.urlOf(this.#stage.offers.demo ? `lane/${this.id}` : './')
  }

  /** Reads on from where it stood. @param {object} [options] of the client */
  start(options = {}) {
    this.stop()
    this.#options = options
    this.#since ||= this.#stage.now
    const { channel, pollInterval } = this.#stage
    const settings = {
      channels: [channel],
      transports: [this.transport],
      cursor: this.#cursor ?? 'now',
      pollInterval,
      wait: 25,
      upgradeAfter: 0x7fff_0000,
      backoff: { base: 800, cap: 5000 },
      ...options,
    }
    const feed = new RemoteFeed(this.url, settings, this.#last)
    this.#feed = feed
    this.#last = undefined
    feed.addEventListener('open', () => this.dispatchEvent(new Event('open')))
    feed.addEventListener('message', (message) => this.got(message))
    feed.addEventListener('gap', ({ reason, cursor }) => {
      this.#stage.ledger.told(this.transport, cursor)
      // If the traffic is visible, an arrow shows the gap.
      if (!this.#stage.sees) this.mark(`diagram.gap.${reason}`)
      this.dispatchEvent(new Event('gap'))
      this.#later()
    })
    feed.addEventListener('status', ({ readyState }) => {
      if (this.#feed !== feed) return
      if (feed.cursor) this.#stage.ledger.begin(this.transport, feed.cursor)
      this.say(this.isCut ? 'lane.status.cut' : `lane.status.${readyState}`)
    })
    this.say('lane.status.0')
  }

  stop() {
    const feed = this.#feed
    this.#feed = this.#resume = undefined
    feed?.close()
    this.#last = feed ?? this.#last
    this.say('lane.status.off')
  }

  /** Says something to the server, in the way of its transport. @param {unknown} data */
  async speak(data) {
    if (!this.#feed) throw new Error(t('lane.status.off'))
    await this.#feed.publish(this.channel, data)
  }

  /** Sends no poll until `go`. Held requests and open connections stay. */
  hold() {
    if (this.transport !== 'poll' || !this.#feed) return
    const options = this.#options
    this.stop()
    this.#resume = () => this.start(options)
  }

  go() {
    this.#resume?.()
  }

  get channel() {
    return this.#stage.channel
  }

  /** Begins anew, with what comes next. @param {string} [cursor] */
  clear(cursor) {
    this.stop()
    this.#last?.forget()
    this.#last = undefined
    this.#cursor = cursor
    this.#reset()
  }

  /** Resets all counts. */
  #reset() {
    this.#before = { ...this.#before, ...this.#all }
    this.figures.clear()
    this.totals = this.#all && { requests: 0, empty: 0, up: 0, down: 0 }
    this.#later()
  }

  /** A message has come, at a time of our clock. @param {{ cursor: string, time: number, data: unknown, at?: number }} message */
  got({ cursor, time, data, at = Date.now() }) {
    const arrived = at + this.#stage.offset
    const delay = Math.max(0, arrived - time)
    // Do not count the delay of messages that were published while the lane was not reading.
    if (time >= this.#since) this.figures.delivered(delay, arrived)
    this.#stage.ledger.got(this.transport, cursor)
    if (!this.#stage.sees) {
      const news = newsOf({ data })
      this.#draw({ direction: 'down', act: 'push', news, at: this.#stage.now, age: delay })
    }
    const delivery = { transport: this.transport, cursor, time, delay, data }
    this.dispatchEvent(Object.assign(new Event('delivery'), { delivery }))
    this.#stage.delivered(delivery)
    this.#later()
  }

  /** Takes a piece of the lane's traffic. */
  piece(piece) {
    if (piece.kind === 'request') this.headers = headersOf(piece)
    const arrow = this.#arrows.take(piece)
    if (arrow) this.#draw(arrow)
    if (piece.kind !== 'close') return
    // The browser may have opened another connection, which then carries the current bar.
    if (piece.connection === this.#carrier) this.#chart.state(this.transport, '', piece.at)
    this.mark('diagram.closed', piece.at)
  }

  #draw(arrow) {
    const caption = this.caption?.(arrow)
    this.#chart.add(this.transport, arrow, caption)
    const after = arrow.kind === 'response' && arrow.act === 'gap' ? '' : AFTER[arrow.act]
    if (after !== undefined) {
      const { at, delay = 0, direction } = arrow
      this.#chart.state(this.transport, after, direction === 'up' ? at + delay : at)
      this.#carrier = arrow.connection
    }
    this.dispatchEvent(Object.assign(new Event('arrow'), { arrow, caption }))
  }

  /** @param {{ requests: number, empty: number, up: number, down: number }} all as the server has counted */
  count(all) {
    this.#all = all
    this.totals = Object.fromEntries(
      Object.entries(all).map(([name, value]) => [name, value - this.#before[name]]),
    )
    this.#later()
  }

  /** The server is down, so nothing is held any more. */
  away() {
    this.forget()
    this.mark('diagram.away')
  }

  /** The server has reset the lane, and counts from 0 again. */
  forget() {
    this.#before = { requests: 0, empty: 0, up: 0, down: 0 }
    this.#all = undefined
    this.#since = 0
    this.#arrows.clear()
    this.#carrier = undefined
    this.#chart.state(this.transport, '')
  }

  /** Something that happened, and is no arrow. @param {string} key @param {number} [at] */
  mark(key, at) {
    this.#chart.mark(this.transport, key, {}, at)
  }

  get #chart() {
    return this.#stage.chart
  }

  #later() {
    onBeat(this.#show)
  }

  #showFigures() {
    const { ledger } = this.#stage
    this.figures.show(
      this.totals,
      ledger.missed(this.transport, this.cursor),
      ledger.repeated(this.transport),
    )
  }

  /** Its status. @param {string} key */
  say(key) {
    this.#said = key
    const text = t(key)
    this.element.dataset.status = key.slice('lane.status.'.length)
    if (this.#status.textContent !== text) this.#status.textContent = text
  }
}

function laneId() {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => letters[byte % 62]).join('')
}
