import { Arrows } from './arrow.js'
import { onBeat } from './beat.js'
import { showDetails } from './details.js'
import { Diagram } from './diagram.js'
import { Figures } from './figures.js'
import { onLanguage, t } from './i18n.js'
import { connect } from './lib/client/index.js'

/** Nothing is remembered: each lane has its one transport. */
const NO_STORAGE = { getItem: () => null, setItem() {} }

/** What goes on after an arrow, by what it did. */
const AFTER = {
  ask: '',
  listen: '',
  switch: '',
  hold: 'held',
  no: '',
  yes: '',
  several: '',
  gap: undefined,
  stream: 'open',
  switched: 'both',
  end: '',
  bye: '',
}

/** One lane: a reader of its own, what goes over its connections, and what that costs. */
export class Lane {
  transport
  id = laneId()
  diagram
  figures
  totals
  isCut = false
  /** Milliseconds that were added each way. */
  delay = 0
  /** Called with each arrow: the key of a caption, or nothing. */
  caption
  /** Called with each arrow, after it is drawn. */
  heard
  #stage
  #feed
  #cursor
  #arrows = new Arrows()
  #status
  #said = 'lane.status.off'
  #show = () => this.#showFigures()
  /** What the server has counted before the lane was cleared. */
  #before = { requests: 0, empty: 0, up: 0, down: 0 }
  #all

  /** @param {HTMLElement} article @param {import('./stage.js').Stage} stage */
  constructor(article, stage) {
    this.transport = article.dataset.lane
    this.element = article
    this.#stage = stage
    this.#status = document.createElement('p')
    this.#status.className = 'status'
    article.querySelector('header').append(this.#status)
    this.figures = new Figures(article)
    this.diagram = new Diagram(article, `lane-${this.transport}`, (arrow) =>
      showDetails(arrow, t(`lane.${this.transport}`)),
    )
    onLanguage(() => {
      this.#say(this.#said)
      this.#show()
    })
    this.#say(this.#said)
  }

  get cursor() {
    return this.#feed?.cursor ?? this.#cursor
  }

  /** Where the lane's routes are. */
  get url() {
    return this.#stage.urlOf(this.#stage.offers.demo ? `lane/${this.id}` : './')
  }

  /** Reads on from where it stood. @param {object} [options] of the client */
  start(options = {}) {
    this.stop()
    const { channel, pollInterval } = this.#stage
    const feed = connect(this.url, {
      channels: [channel],
      transports: [this.transport],
      cursor: this.#cursor ?? 'now',
      pollInterval,
      wait: 25,
      upgradeAfter: 0x7fff_0000,
      storage: NO_STORAGE,
      backoff: { base: 800, cap: 5000 },
      ...options,
    })
    this.#feed = feed
    feed.addEventListener('message', (message) => this.#got(message))
    feed.addEventListener('gap', ({ reason, cursor }) => {
      this.#stage.ledger.told(this.transport, cursor)
      this.diagram.mark(`diagram.gap.${reason}`)
      this.#later()
    })
    feed.addEventListener('status', ({ readyState }) => {
      if (this.#feed !== feed) return
      if (feed.cursor) this.#stage.ledger.begin(this.transport, feed.cursor)
      this.#say(this.isCut ? 'lane.status.cut' : `lane.status.${readyState}`)
    })
    this.#say('lane.status.0')
  }

  stop() {
    this.#cursor = this.cursor
    const feed = this.#feed
    this.#feed = undefined
    feed?.close()
    this.#say('lane.status.off')
  }

  get channel() {
    return this.#stage.channel
  }

  /** Goes on with what comes next, on whatever channel. */
  leap() {
    this.stop()
    this.#cursor = undefined
  }

  /** Begins anew, with what comes next. @param {string} [cursor] */
  clear(cursor) {
    this.stop()
    this.#cursor = cursor
    this.#before = { ...this.#before, ...this.#all }
    this.diagram.clear()
    this.figures.clear()
    this.totals = undefined
    this.#later()
  }

  #got({ cursor, time, data }) {
    const delay = Math.max(0, Date.now() + this.#stage.offset - time)
    this.figures.delivered(delay)
    this.#stage.ledger.got(this.transport, cursor)
    if (!this.#stage.offers.demo) {
      const news = typeof data === 'string' ? data : JSON.stringify(data)
      this.#draw({ direction: 'down', act: 'push', news, at: Date.now() })
    }
    this.#stage.delivered({ transport: this.transport, cursor, time, delay, data })
    this.#later()
  }

  /** A piece of its traffic. */
  piece(piece) {
    if (piece.kind === 'close') {
      this.diagram.state = ''
      this.diagram.mark('diagram.closed')
      return
    }
    const arrow = this.#arrows.take(piece)
    if (arrow) this.#draw(arrow)
  }

  #draw(arrow) {
    this.diagram.add(arrow, this.caption?.(arrow))
    const after = AFTER[arrow.act]
    if (after !== undefined) this.diagram.state = after
    this.heard?.(arrow)
  }

  /** @param {{ requests: number, empty: number, up: number, down: number }} all as the server has counted */
  count(all) {
    this.#all = all
    this.totals = Object.fromEntries(
      Object.entries(all).map(([name, value]) => [name, value - this.#before[name]]),
    )
    this.#later()
  }

  /** The server has forgotten the lane, and counts from 0 again. */
  forget() {
    this.#before = { requests: 0, empty: 0, up: 0, down: 0 }
    this.#all = undefined
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

  /** @param {string} key */
  #say(key) {
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
