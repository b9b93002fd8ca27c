import { wordsOf } from './arrow.js'
import { sizeText, timeText } from './bytes.js'
import { onLanguage, t, translate } from './i18n.js'

/** Rows that are kept, and those that are drawn of one burst. */
const MOST = { rows: 120, burst: 24 }
/** Pixels of the longest gap: a longer one says how long it is. */
const LONGEST = 88
const SVG = 'http://www.w3.org/2000/svg'

/** The sequence diagram of one lane: time runs down, the browser is on the left and the server on the right. */
export class Diagram {
  /** Pixels a second. */
  speed = 28
  #box
  #rows
  #opened
  #queue = []
  #frame
  #tail
  #last
  #state = ''

  /**
   * @param {HTMLElement} place
   * @param {(arrow: import('./arrow.js').Arrow) => void} opened an arrow was clicked
   */
  constructor(place, name, opened) {
    this.#opened = opened
    const ends = document.createElement('div')
    ends.className = 'ends'
    ends.innerHTML = '<span data-i18n="diagram.browser"></span><span data-i18n="diagram.server"></span>'
    translate(ends)
    this.#box = document.createElement('div')
    this.#box.className = 'diagram'
    this.#box.tabIndex = 0
    this.#box.setAttribute('role', 'region')
    this.#box.setAttribute('aria-labelledby', name)
    this.#rows = document.createElement('ol')
    this.#box.append(this.#rows)
    place.append(ends, this.#box)
    this.clear()
    setInterval(() => this.#grow(), 100)
    onLanguage(() => {
      for (const row of this.#rows.children) row.say?.()
    })
  }

  clear() {
    this.#queue = []
    this.#rows.replaceChildren()
    this.#state = ''
    this.#last = undefined
    this.#tail = undefined
  }

  /** @param {object} arrow @param {string} [caption] key of the words that stand in for its own */
  add(arrow, caption) {
    this.#queue.push({ arrow, caption })
    this.#frame ??= requestAnimationFrame(() => this.#draw())
  }

  /** Something that happened, and is no arrow. @param {string} key @param {object} [values] */
  mark(key, values) {
    this.#queue.push({ mark: key, values })
    this.#frame ??= requestAnimationFrame(() => this.#draw())
  }

  /** @param {'' | 'held' | 'open' | 'both'} state what goes on between two arrows */
  set state(state) {
    this.#queue.push({ state })
  }

  #draw() {
    this.#frame = undefined
    const followed = this.#box.scrollTop + this.#box.clientHeight >= this.#box.scrollHeight - 24
    const queue = this.#queue.splice(0)
    const arrows = queue.filter(({ arrow }) => arrow).length
    let skip = Math.max(0, arrows - MOST.burst)
    if (skip > 0) this.#note('diagram.skipped', { count: skip })
    for (const { arrow, caption, mark, values, state } of queue) {
      if (state !== undefined) this.#setState(state)
      else if (mark) this.#note(mark, values)
      else if (skip > 0) skip--
      else this.#arrow(arrow, caption)
    }
    while (this.#rows.childElementCount > MOST.rows) this.#rows.firstElementChild.remove()
    if (followed) this.#box.scrollTop = this.#box.scrollHeight
  }

  #setState(state) {
    this.#grow()
    this.#state = state
    if (this.#rows.lastElementChild) this.#tailRow()
  }

  /** The gap at the end, which grows until the next arrow. */
  #tailRow() {
    const row = document.createElement('li')
    row.className = `gap ${this.#state}`
    row.setAttribute('aria-hidden', 'true')
    this.#rows.append(row)
    this.#tail = row
    this.#last = performance.now()
  }

  #grow() {
    if (!this.#tail || document.hidden) return
    const waited = performance.now() - this.#last
    const height = Math.min(LONGEST, (waited / 1000) * this.speed)
    const followed = this.#box.scrollTop + this.#box.clientHeight >= this.#box.scrollHeight - 24
    if (this.#tail.offsetHeight < LONGEST) this.#tail.style.height = `${height}px`
    if (waited > 1500) this.#tail.textContent = timeText(Math.round(waited / 100) * 100)
    if (followed) this.#box.scrollTop = this.#box.scrollHeight
  }

  #note(key, values) {
    this.#grow()
    const row = document.createElement('li')
    row.className = `note ${this.#state}`
    row.say = () => {
      row.textContent = t(key, values)
    }
    row.say()
    this.#rows.append(row)
    this.#tailRow()
  }

  #arrow(arrow, caption) {
    this.#grow()
    const row = document.createElement('li')
    row.className = `arrow ${arrow.direction} ${this.#state} act-${arrow.act}`
    const button = document.createElement('button')
    button.type = 'button'
    button.addEventListener('click', () => this.#opened(arrow))
    const say = document.createElement('span')
    say.className = caption ? 'say caption' : 'say'
    const cost = document.createElement('span')
    cost.className = 'cost'
    row.say = () => {
      say.textContent = caption ? t(caption, { news: arrow.news }) : wordsOf(arrow)
      const parts = arrow.size === undefined ? [] : [sizeText(arrow.size)]
      if (arrow.took !== undefined) parts.push(t('diagram.took', { time: timeText(arrow.took) }))
      if (arrow.delay > 0) parts.push(t('diagram.delay', { time: timeText(arrow.delay) }))
      cost.textContent = parts.join(' · ')
    }
    row.say()
    button.append(say, line(arrow), cost)
    row.append(button)
    this.#rows.append(row)
    this.#tailRow()
  }
}

/** An arrow from one lifeline to the other; it falls with the delay that was added. */
function line({ direction, delay = 0 }) {
  const fall = Math.min(28, delay / 20)
  const height = 10 + fall
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('class', 'line')
  svg.setAttribute('width', '100%')
  svg.setAttribute('height', `${height}`)
  svg.setAttribute('aria-hidden', 'true')
  const [from, to] = direction === 'up' ? ['0', '100%'] : ['100%', '0']
  const shaft = document.createElementNS(SVG, 'line')
  for (const [name, value] of Object.entries({ x1: from, y1: 5, x2: to, y2: 5 + fall })) {
    shaft.setAttribute(name, `${value}`)
  }
  const tip = document.createElementNS(SVG, 'svg')
  tip.setAttribute('x', to)
  tip.setAttribute('y', `${5 + fall}`)
  tip.setAttribute('overflow', 'visible')
  const head = document.createElementNS(SVG, 'path')
  head.setAttribute('d', direction === 'up' ? 'M0 0L-9 -4.5V4.5Z' : 'M0 0L9 -4.5V4.5Z')
  tip.append(head)
  svg.append(shaft, tip)
  return svg
}
