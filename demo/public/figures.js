import { sizeText, timeText } from './bytes.js'
import { t } from './i18n.js'
import { make } from './parts.js'

/** The figures that are always visible, and those that are folded. */
const FIRST = ['requests', 'empty', 'mean']
const MORE = ['up', 'down', 'median', 'p99', 'missed', 'repeated']
const NAMES = [...FIRST, ...MORE]
/** Delays are taken from this many milliseconds before the latest message, up to a maximum count. */
const SPAN = 10_000
const MOST = 2000
/** Minimum messages for a p99. */
const HUNDRED = 100

/** The figures in a lane's heading. */
export class Figures {
  #cells = {}
  #delays = []
  #more

  /** @param {HTMLElement} place @param {() => void} reset counts from 0 again */
  constructor(place, reset) {
    const button = make('button', { type: 'button', say: 'figures.reset' })
    button.addEventListener('click', reset)
    this.#more = make(
      'details',
      { class: 'more' },
      make('summary', { say: 'figures.more' }),
      this.#list(MORE),
      make('p', { class: 'hint', say: 'figures.span' }),
      button,
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

  /** @param {number} ms @param {number} at milliseconds, when it came */
  delivered(ms, at) {
    this.#delays.push({ ms, at })
    while (this.#delays.length > MOST || this.#delays[0].at < at - SPAN) this.#delays.shift()
  }

  /** @param {{ requests: number, empty: number, up: number, down: number } | undefined} totals */
  show(totals, missed, repeated) {
    this.#set('requests', totals ? `${totals.requests}` : t('figures.hidden'))
    this.#set('empty', totals ? `${totals.empty}` : t('figures.hidden'))
    this.#set('up', totals ? sizeText(totals.up) : t('figures.hidden'))
    this.#set('down', totals ? sizeText(totals.down) : t('figures.hidden'))
    const { mean, median, p99 } = statisticsOf(this.#delays.map(({ ms }) => ms))
    const text = (ms) => (ms === undefined ? '–' : timeText(ms))
    this.#set('mean', text(mean))
    this.#set('median', text(median))
    this.#set('p99', text(p99))
    this.#set('missed', `${missed}`)
    this.#set('repeated', `${repeated}`)
    this.#cells.missed.classList.toggle('bad', missed > 0)
    this.#cells.repeated.classList.toggle('bad', repeated > 0)
    // Show errors.
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

/**
 * @param {readonly number[]} delays milliseconds
 * @returns {{ mean?: number, median?: number, p99?: number }} what can be said of so many
 */
export function statisticsOf(delays) {
  if (delays.length === 0) return {}
  const sorted = [...delays].sort((a, b) => a - b)
  const rank = (share) => sorted[Math.ceil(sorted.length * share) - 1]
  return {
    mean: sorted.reduce((sum, each) => sum + each, 0) / sorted.length,
    median: rank(0.5),
    p99: sorted.length < HUNDRED ? undefined : rank(0.99),
  }
}
