import { wordsOf } from './arrow.js'
import { onBeat } from './beat.js'
import { sizeText, timeText } from './bytes.js'
import { onLanguage, t, translate } from './i18n.js'
import { draw, make, say } from './parts.js'

/** Rows that are kept, and those that are drawn of one burst. */
const MOST = { rows: 120, burst: 24 }
/** Pixels of the longest gap: a longer one says how long it is. */
const LONGEST = 88
/** Milliseconds between two arrows that move: sooner ones stand there at once, since moving layers cost a core. */
const CALM = 400

/** The sequence diagram of one lane: time runs down, the browser is on the left and the server on the right. */
export class Diagram {
  /** Pixels a second. */
  speed = 28
  /** While it is, nothing more is drawn, and what comes is left out. */
  frozen = false
  #box
  #rows
  #opened
  #queue = []
  #draw = () => this.#drawn()
  #tail
  #last
  #moved = 0
  /** The arrow that can be reached with Tab. */
  #tabStop
  #newest
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
    this.#box.setAttribute('role', 'region')
    this.#box.setAttribute('aria-labelledby', name)
    this.#rows = document.createElement('ol')
    this.#box.append(this.#rows)
    this.#box.addEventListener('keydown', (event) => this.#walk(event))
    this.#box.addEventListener('focusin', ({ target }) => this.#stop(target))
    this.#box.addEventListener('focusout', () => this.#stop(this.#newest))
    place.append(ends, this.#box)
    this.clear()
    setInterval(() => {
      if (this.#tail && !document.hidden && !this.frozen) onBeat(this.#draw)
    }, 125)
    onLanguage(() => {
      for (const row of this.#rows.children) row.say?.()
    })
  }

  /** Tab stops here, and at none of the other arrows: the arrow keys go from one to the next. */
  #stop(button) {
    if (!button || button === this.#tabStop) return
    if (this.#tabStop) this.#tabStop.tabIndex = -1
    this.#tabStop = button
    button.tabIndex = 0
  }

  #walk(event) {
    const buttons = [...this.#rows.querySelectorAll('button')]
    const at = buttons.indexOf(event.target)
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: buttons.length - 1 }[event.key]
    if (at === -1 || to === undefined) return
    event.preventDefault()
    buttons[to]?.focus()
  }

  clear() {
    this.#queue = []
    this.#tabStop = this.#newest = undefined
    this.#rows.replaceChildren()
    this.#state = ''
    this.#last = undefined
    this.#tail = undefined
  }

  /** @param {object} arrow @param {string} [caption] key of the words that stand in for its own */
  add(arrow, caption) {
    this.#push({ arrow, caption })
  }

  /** Something that happened, and is no arrow. @param {string} key @param {object} [values] */
  mark(key, values) {
    this.#push({ mark: key, values })
  }

  /** @param {'' | 'held' | 'open' | 'both'} state what goes on between two arrows */
  set state(state) {
    this.#push({ state })
  }

  #push(what) {
    if (this.frozen) return
    this.#queue.push({ ...what, now: performance.now() })
    onBeat(this.#draw)
  }

  /** Nothing is read back of the layout in here: that would have it done anew for each row. */
  #drawn() {
    const queue = this.#queue.splice(0)
    const arrows = queue.filter(({ arrow }) => arrow).length
    let skip = Math.max(0, arrows - MOST.burst)
    if (skip > 0) this.#note('diagram.skipped', { count: skip }, queue[0].now)
    for (const { arrow, caption, mark, values, state, now } of queue) {
      if (state !== undefined) this.#setState(state, now)
      else if (mark) this.#note(mark, values, now)
      else if (skip > 0) skip--
      else this.#arrow(arrow, caption, now)
    }
    this.#grow(performance.now())
    while (this.#rows.childElementCount > MOST.rows) this.#rows.firstElementChild.remove()
    if (!this.#tabStop?.isConnected || !this.#box.contains(document.activeElement)) {
      this.#stop(this.#newest)
    }
  }

  #setState(state, now) {
    if (state === this.#state) return
    this.#grow(now)
    this.#state = state
    if (this.#rows.lastElementChild) this.#tailRow(now)
  }

  /** The gap at the end, which grows until the next arrow. */
  #tailRow(now) {
    this.#tail = make('li', { class: `gap ${this.#state}`, 'aria-hidden': 'true' })
    this.#rows.append(this.#tail)
    this.#last = now
  }

  #grow(now) {
    if (!this.#tail) return
    const waited = now - this.#last
    this.#tail.style.height = `${Math.min(LONGEST, (waited / 1000) * this.speed)}px`
    if (waited > 1500) this.#tail.textContent = timeText(Math.round(waited / 100) * 100)
  }

  #note(key, values, now) {
    this.#grow(now)
    const row = make('li', { class: `note ${this.#state}` })
    say(row, key, values)
    this.#rows.append(row)
    this.#tailRow(now)
  }

  #arrow(arrow, caption, now) {
    this.#grow(now)
    const row = make('li', { class: `arrow ${arrow.direction} ${this.#state} act-${arrow.act}` })
    if (now - this.#moved > CALM) row.classList.add('moves')
    this.#moved = now
    const words = make('span', { class: caption ? 'say caption' : 'say' })
    const cost = make('span', { class: 'cost' })
    const who = make('span', { class: 'unseen' })
    const button = make('button', { type: 'button', tabIndex: -1 }, who, words, line(arrow), cost)
    button.addEventListener('click', () => this.#opened(arrow))
    row.say = () => {
      who.textContent = t(arrow.direction === 'up' ? 'diagram.from.browser' : 'diagram.from.server')
      words.textContent = caption ? t(caption, { news: arrow.news }) : wordsOf(arrow)
      cost.textContent = costsOf(arrow).join(' · ')
    }
    row.say()
    row.append(button)
    this.#rows.append(row)
    this.#newest = button
    this.#tailRow(now)
  }
}

/** What an arrow cost: its bytes, the age of its message, and, which is another matter, how long its request was held. */
function costsOf({ size, age, count, more, held, waits, delay }) {
  const costs = size === undefined ? [] : [sizeText(size)]
  if (age !== undefined) {
    costs.push(t(count > 1 || more ? 'diagram.age.first' : 'diagram.age', { time: timeText(age) }))
  }
  if (held !== undefined) costs.push(t(waits ? 'diagram.held' : 'diagram.took', { time: timeText(held) }))
  if (delay > 0) costs.push(t('diagram.delay', { time: timeText(delay) }))
  return costs
}

/** An arrow from one lifeline to the other; it falls with the delay that was added. */
function line({ direction, delay = 0 }) {
  const fall = Math.min(28, delay / 20)
  const [from, to] = direction === 'up' ? ['0', '100%'] : ['100%', '0']
  const head = draw('path', { d: direction === 'up' ? 'M0 0L-9 -4.5V4.5Z' : 'M0 0L9 -4.5V4.5Z' })
  return draw(
    'svg',
    { class: 'line', width: '100%', height: 10 + fall, 'aria-hidden': 'true' },
    draw('line', { x1: from, y1: 5, x2: to, y2: 5 + fall }),
    draw('svg', { x: to, y: 5 + fall, overflow: 'visible' }, head),
  )
}
