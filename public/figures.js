import { sizeText, timeText } from './bytes.js'
import { t, translate } from './i18n.js'

const NAMES = ['requests', 'empty', 'up', 'down', 'mean', 'p99', 'missed', 'repeated']
/** Delays that are looked back on. */
const MOST = 1000

/** The figures in the heading of a lane. */
export class Figures {
  #cells = {}
  #delays = []

  /** @param {HTMLElement} place */
  constructor(place) {
    const list = document.createElement('dl')
    list.className = 'figures'
    for (const name of NAMES) {
      const cell = document.createElement('div')
      const term = document.createElement('dt')
      term.dataset.i18n = `figures.${name}`
      const value = document.createElement('dd')
      value.dataset.figure = name
      cell.append(term, value)
      list.append(cell)
      this.#cells[name] = value
    }
    translate(list)
    place.append(list)
    this.clear()
  }

  /** @param {number} ms */
  delivered(ms) {
    this.#delays.push(ms)
    if (this.#delays.length > MOST) this.#delays.shift()
  }

  /** @param {{ requests: number, empty: number, up: number, down: number } | undefined} totals */
  show(totals, missed, repeated) {
    this.#set('requests', totals ? `${totals.requests}` : t('figures.hidden'))
    this.#set('empty', totals ? `${totals.empty}` : t('figures.hidden'))
    this.#set('up', totals ? sizeText(totals.up) : t('figures.hidden'))
    this.#set('down', totals ? sizeText(totals.down) : t('figures.hidden'))
    const sorted = [...this.#delays].sort((a, b) => a - b)
    const mean = sorted.reduce((sum, each) => sum + each, 0) / sorted.length
    const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1]
    this.#set('mean', sorted.length > 0 ? timeText(mean) : '–')
    this.#set('p99', sorted.length > 0 ? timeText(p99) : '–')
    this.#set('missed', `${missed}`)
    this.#set('repeated', `${repeated}`)
    this.#cells.missed.classList.toggle('bad', missed > 0)
    this.#cells.repeated.classList.toggle('bad', repeated > 0)
  }

  #set(name, text) {
    if (this.#cells[name].textContent !== text) this.#cells[name].textContent = text
  }

  clear() {
    this.#delays = []
    for (const name of NAMES) this.#set(name, '–')
  }
}
