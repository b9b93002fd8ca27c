import { sizeText, timeText } from './bytes.js'
import { t } from './i18n.js'
import { make } from './parts.js'

/** What tells the four apart, and what is folded away. */
const FIRST = ['requests', 'empty', 'mean']
const MORE = ['up', 'down', 'p99', 'missed', 'repeated']
const NAMES = [...FIRST, ...MORE]
/** Delays that are looked back on. */
const MOST = 1000

/** The figures in the heading of a lane. */
export class Figures {
  #cells = {}
  #delays = []
  #more

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#more = make(
      'details',
      { class: 'more' },
      make('summary', { say: 'figures.more' }),
      this.#list(MORE),
    )
    place.append(this.#list(FIRST, 'headline'), this.#more)
    this.clear()
  }

  #list(names, kind = '') {
    const cells = names.map((name) => {
      this.#cells[name] = make('dd')
      this.#cells[name].dataset.figure = name
      return make('div', {}, make('dt', { say: `figures.${name}` }), this.#cells[name])
    })
    return make('dl', { class: `figures ${kind}` }, ...cells)
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
    // What should not be is not hidden.
    if (missed > 0 || repeated > 0) this.#more.open = true
  }

  #set(name, text) {
    if (this.#cells[name].textContent !== text) this.#cells[name].textContent = text
  }

  clear() {
    this.#delays = []
    for (const name of NAMES) this.#set(name, '–')
  }
}
