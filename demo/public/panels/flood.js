import { t } from '../i18n.js'
import { draw, make, say } from '../parts.js'

/** Frame size, below the server's maximum. */
const PIECE = 250_000
const PIECES = 80
const TOTAL = PIECE * PIECES
const BOX = { width: 640, height: 220, left: 80, right: 12, top: 12, bottom: 28 }

/** Sends 20 MB at once, and plots the bytes that are buffered and echoed. */
export class Flood {
  #waiting = draw('path', { class: 'waiting' })
  #back = draw('path', { class: 'back' })
  #until = draw('text', { x: BOX.width - BOX.right, y: BOX.height - 8, 'text-anchor': 'end' })
  #result = make('p', { role: 'status', class: 'hint' })

  constructor() {
    const line = (y) => draw('line', { class: 'axis', x1: BOX.left, x2: BOX.width - BOX.right, y1: y, y2: y })
    const label = (share) =>
      draw('text', { x: BOX.left - 8, y: y(share) + 4, 'text-anchor': 'end' }, `${share * 20} MB`)
    const shares = [0, 0.5, 1]
    this.svg = draw(
      'svg',
      { viewBox: `0 0 ${BOX.width} ${BOX.height}`, class: 'buffer-plot', role: 'img' },
      ...shares.map((share) => line(y(share))),
      ...shares.map(label),
      draw('text', { x: BOX.left, y: BOX.height - 8 }, '0 ms'),
      this.#until,
      this.#back,
      this.#waiting,
    )
    this.svg.dataset.i18nLabel = 'socket-api.plot'
    this.svg.setAttribute('aria-label', t('socket-api.plot'))
    this.element = make(
      'div',
      { class: 'flood' },
      make('p', { class: 'hint', say: 'socket-api.flood.hint' }),
      this.svg,
      make(
        'p',
        { class: 'legend' },
        make('span', { say: 'socket-api.waiting' }),
        make('span', { class: 'back', say: 'socket-api.back' }),
      ),
      this.#result,
    )
  }

  /** @param {WebSocket} socket an open one @returns {Promise<void>} once all is back, or the socket closed */
  async run(socket) {
    /** @type {{ at: number, waiting: number, back: number }[]} */
    const samples = []
    const from = performance.now()
    let back = 0
    const sample = () => samples.push({ at: performance.now() - from, waiting: socket.bufferedAmount, back })
    const listener = ({ data }) => {
      back += data.size ?? data.byteLength ?? 0
      sample()
    }
    socket.addEventListener('message', listener)
    sample()
    const piece = new Uint8Array(PIECE)
    for (let i = 0; i < PIECES; i++) {
      socket.send(piece)
      sample()
    }
    while (back < TOTAL && socket.readyState === WebSocket.OPEN) {
      await new Promise((resolve) => setTimeout(resolve, 16))
      sample()
      this.#draw(samples)
    }
    socket.removeEventListener('message', listener)
    this.#draw(samples)
    if (back < TOTAL) {
      say(this.#result, 'socket-api.flood.lost')
      return
    }
    const peak = Math.max(...samples.map(({ waiting }) => waiting))
    say(this.#result, 'socket-api.flood.result', {
      peak: (peak / 1e6).toFixed(1),
      empty: samples.find(({ waiting }, i) => i > PIECES && waiting === 0)?.at.toFixed(0) ?? '?',
      back: samples.at(-1).at.toFixed(0),
    })
  }

  #draw(samples) {
    const last = samples.at(-1).at
    const x = (at) => BOX.left + ((BOX.width - BOX.left - BOX.right) * at) / Math.max(last, 1)
    const path = (of) =>
      samples
        .map((each, i) => `${i === 0 ? 'M' : 'L'}${x(each.at).toFixed(1)} ${y(of(each) / TOTAL).toFixed(1)}`)
        .join('')
    this.#waiting.setAttribute(
      'd',
      path(({ waiting }) => waiting),
    )
    this.#back.setAttribute(
      'd',
      path(({ back }) => back),
    )
    this.#until.textContent = `${last.toFixed(0)} ms`
  }
}

function y(share) {
  return BOX.height - BOX.bottom - share * (BOX.height - BOX.top - BOX.bottom)
}
