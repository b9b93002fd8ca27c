import { costsOf, wordsOf } from './arrow.js'
import { onBeat } from './beat.js'
import { timeText } from './bytes.js'
import { onLanguage, t } from './i18n.js'
import { draw, make } from './parts.js'
import { linesOf } from './text-measure.js'
import { placeOf, raise, run, startClock } from './timeline.js'

/** Maximum pixels of history. Beyond them, the older half is removed. */
const MOST = 9000
/** Acts that bring messages. */
const STRONG = new Set(['yes', 'several', 'push', 'pushes'])
/** Maximum queued events while the chart is paused. Beyond them, the oldest are dropped. */
const WAITING = 2000
/** Pixels of a line of words, of a line of costs, and of the gap. */
const LINE = { words: 18, cost: 16, gap: 7 }
/** Pixels below the current time. */
const FOOT = 40

/**
 * The sequence diagrams of all lanes: time runs down by one clock, the browser of each lane is on the left and the
 * server on the right.
 */
export class Chart {
  #box
  #layer
  #over
  /** @type {Map<string, Column>} */
  #columns = new Map()
  #speed = 28
  #now
  /** @type {Part[]} clocks with what has happened by them; the last one goes on */
  #parts = []
  #queue = []
  #paused = false
  #frozen = false
  #height = 0
  #show = () => this.#draw()
  #last = 0

  /**
   * @param {HTMLElement} box with a list for each lane in its layer, and what stands over them
   * @param {readonly string[]} lanes
   * @param {() => number} now the server's clock, milliseconds
   * @param {(arrow: import('./arrow.js').Arrow, lane: string) => void} opened an arrow was clicked
   */
  constructor(box, lanes, now, opened) {
    this.#box = box
    this.#now = now
    this.#layer = box.querySelector('.layer')
    this.#over = box.querySelector('.over')
    for (const list of box.querySelectorAll('ol')) {
      const { lane } = list.dataset
      if (lanes.includes(lane)) this.#columns.set(lane, new Column(list, (arrow) => opened(arrow, lane)))
    }
    this.together()
    box.addEventListener('scroll', () => {
      // A box of another size scrolls by itself.
      if (box.clientHeight !== this.#height) return
      if (!this.#paused && this.#follows() - box.scrollTop > 30) this.paused = true
    })
    new ResizeObserver(() => {
      this.#height = box.clientHeight
      const before = this.#textWidth
      for (const column of this.#columns.values()) column.measure()
      if (this.#textWidth !== before) this.#measure()
      else this.#follow()
      onBeat(this.#show)
    }).observe(box)
    setInterval(() => {
      if (!document.hidden && !this.#paused && !this.#frozen) onBeat(this.#show)
    }, 150)
    onLanguage(() => this.#measure())
  }

  get lanes() {
    return [...this.#columns.keys()]
  }

  get speed() {
    return this.#speed
  }

  set speed(speed) {
    this.#speed = speed
    this.#measure()
  }

  get paused() {
    return this.#paused
  }

  /** Stops the chart. Events are queued and drawn when it continues. Fires `pause`. */
  set paused(paused) {
    this.#paused = paused
    this.#box.classList.toggle('paused', paused)
    this.#box.dispatchEvent(new Event('pause'))
    onBeat(this.#show)
  }

  /** Stops the chart and drops all further events. */
  set frozen(frozen) {
    if (frozen) this.#draw()
    this.#frozen = frozen
  }

  /** Begins anew: all lanes by one clock. @param {{ keep?: boolean }} [how] what is there is kept, above */
  together({ keep = false } = {}) {
    if (keep) this.#finish()
    this.#flush()
    if (!keep) {
      this.#parts = []
      for (const column of this.#columns.values()) column.clear()
      this.#over.replaceChildren()
    }
    const y = Math.max(0, ...this.#parts.flatMap(({ clock }) => Object.values(clock.bottoms)))
    this.#begin(new Part(this.lanes, y, true))
  }

  /** One lane alone begins anew; what the others have stays. @param {string} lane */
  solo(lane) {
    this.#finish()
    this.#flush()
    this.#parts = this.#parts.filter((part) => {
      const stays = !part.all && part.lanes[0] !== lane
      if (!stays) for (const { nodes } of part.happened) for (const node of nodes ?? []) node.remove()
      return stays
    })
    this.#columns.get(lane).clear()
    this.#begin(new Part([lane], 0, false))
  }

  #begin(part) {
    this.#parts.push(part)
    for (const lane of part.lanes) this.#columns.get(lane).rest()
    this.paused = false
  }

  /** @param {string} lane @param {import('./arrow.js').Arrow} arrow @param {string} [caption] key of its words */
  add(lane, arrow, caption) {
    const { at, delay = 0, direction, act } = arrow
    const row = { kind: 'row', lane, at, arrow, arrows: [arrow], caption }
    if (!caption) row.bundle = `${direction} ${act}`
    this.#push(row)
    if (delay > 0) this.#push({ kind: 'end', lane, at: at + delay, of: row })
  }

  /** Adds a note, for example that a connection closed. */
  mark(lane, key, values, at = this.#now()) {
    this.#push({ kind: 'row', lane, at, note: key, values, bundle: key })
  }

  /** @param {'' | 'held' | 'open' | 'both'} state what goes on in a lane from now on */
  state(lane, state, at = this.#now()) {
    this.#push({ kind: 'bar', lane, at, state })
  }

  /** A message was published: a line through all lanes. @param {number} at */
  published(at) {
    this.#push({ kind: 'line', at, count: 1, bundle: 'published' })
  }

  #push(happening) {
    if (this.#frozen) return
    this.#queue.push(happening)
    this.#last = Math.max(this.#last, happening.kind === 'end' ? 0 : happening.at)
    if (this.#queue.length > WAITING) this.#queue.shift()
    if (!this.#paused) onBeat(this.#show)
  }

  /** Draws the queued events before another clock starts. */
  #finish() {
    this.#paused = false
    this.#draw()
  }

  #flush() {
    this.#queue = []
    this.#last = 0
    this.#frozen = false
  }

  /** Reads nothing from the layout, because that would force a layout for each row. */
  #draw() {
    const part = this.#parts.at(-1)
    if (this.#paused || this.#frozen || this.#height === 0) return
    // Events in other lanes come from connections that are closing.
    const queue = this.#queue.splice(0).filter(({ lane }) => lane === undefined || part.lanes.includes(lane))
    for (const each of queue) this.#size(each)
    this.#place(part, queue)
    if (part.all && part.clock.y > MOST) this.#trim(part)
    for (const lane of part.lanes) this.#columns.get(lane).grow(placeOf(part.clock, this.#now(), this.#speed))
    this.#follow()
  }

  #place(part, happenings) {
    const now = Math.max(this.#now(), this.#last)
    const { clock, placed } = run(part.clock, happenings, now, this.#speed)
    part.clock = clock
    for (const { what, y, into, quiet } of /** @type {any[]} */ (placed)) {
      part.happened.push(what)
      what.nodes ??= []
      if (quiet) this.#quiet(what, quiet)
      what.y = y
      if (what.kind === 'line') this.#line(what, into)
      else this.#columns.get(what.lane).put(what, into)
    }
  }

  #quiet(what, { y, ms }) {
    const node = make('p', { class: 'quiet' }, t('diagram.quiet', { time: timeText(ms) }))
    move(node, y)
    what.nodes.push(node)
    this.#over.append(node)
  }

  #line(what, into) {
    if (into) {
      into.count++
      into.nodes.at(-1).textContent = t('diagram.published', { count: into.count })
      return
    }
    const node = make('p', { class: 'published' }, t('diagram.published', { count: what.count }))
    move(node, what.y)
    what.nodes.push(node)
    this.#over.append(node)
  }

  /** Computes the height of an event. */
  #size(what) {
    if (what.kind === 'line') Object.assign(what, { lead: 18, tail: 6 })
    if (what.kind !== 'row') return
    const width = this.#textWidth
    if (what.note) {
      Object.assign(what, {
        lead: 4,
        tail: 8 + LINE.cost * linesOf(t(what.note, what.values), 'cost', width),
      })
      return
    }
    const { words, costs } = textsOf(what)
    what.wordLines = linesOf(words, isStrong(what) ? 'strong' : 'words', width)
    what.costLines = linesOf(costs, 'cost', width)
    what.lead = LINE.words * what.wordLines + LINE.gap
    what.tail = LINE.cost * what.costLines + LINE.gap
  }

  get #textWidth() {
    return Math.max(80, ...[...this.#columns.values()].map(({ width }) => width)) - 60
  }

  /** Places all events again, after the width, the language or the scale changed. */
  #measure() {
    for (const column of this.#columns.values()) column.measure()
    let y = 0
    for (const part of this.#parts) {
      for (const lane of part.lanes) this.#columns.get(lane).rest()
      const happened = part.happened
      for (const what of happened) {
        // Keep the element of a row, because it may have the focus.
        for (const node of what.nodes) if (node !== what.row) node.remove()
        what.nodes = what.row ? [what.row] : []
        if (what.kind === 'line') what.count = 1
        if (what.arrow) what.arrows = [what.arrow]
        this.#size(what)
      }
      const { pending } = part.clock
      part.happened = []
      part.clock = startClock(part.lanes, part.all ? y : 0)
      this.#place(part, [...happened, ...pending])
      y = Math.max(y, ...Object.values(part.clock.bottoms))
    }
    const paused = this.#paused
    this.#paused = false
    this.#follow()
    this.#paused = paused
  }

  #trim(part) {
    const by = part.clock.y - MOST / 2
    const stays = part.happened.filter((what) => what.y >= by || (what.bar && what.bar.end === undefined))
    const kept = new Set(stays)
    for (const what of part.happened) {
      if (!kept.has(what)) for (const node of what.nodes) node.remove()
    }
    part.happened = stays
    part.clock = raise(part.clock, by)
    for (const what of stays) {
      what.y -= by
      for (const node of what.nodes) move(node, node.y - by)
    }
    for (const column of this.#columns.values()) column.raised(by)
    // Remove the rows of earlier parts, too.
    for (const other of this.#parts.splice(0, this.#parts.length - 1)) {
      for (const { nodes } of other.happened) for (const node of nodes) node.remove()
    }
  }

  /** Returns the scroll position that shows the current time. */
  #follows() {
    const part = this.#parts.at(-1)
    const y = Math.max(
      placeOf(part.clock, this.#now(), this.#speed),
      ...part.lanes.map((lane) => part.clock.bottoms[lane]),
    )
    return Math.max(0, y + FOOT - this.#height)
  }

  #follow() {
    const top = this.#follows()
    const bottoms = this.#parts.flatMap(({ clock }) => Object.values(clock.bottoms))
    this.#layer.style.height = `${Math.ceil(Math.max(top + this.#height, ...bottoms))}px`
    if (!this.#paused) this.#box.scrollTop = top
  }
}

/** The events of one clock. */
class Part {
  happened = []

  /** @param {readonly string[]} lanes @param {number} y @param {boolean} all whether it is the clock of all lanes */
  constructor(lanes, y, all) {
    this.lanes = lanes
    this.all = all
    this.clock = startClock(lanes, y)
  }
}

/** The diagram of one lane. */
class Column {
  width = 0
  #list
  #opened
  /** The arrow that the Tab key reaches. */
  #tabStop
  #newest
  /** The current bar: a held request, or an open connection. */
  #bar
  #lastBar

  constructor(list, opened) {
    this.#list = list
    this.#opened = opened
    list.addEventListener('keydown', (event) => this.#walk(event))
    list.addEventListener('focusin', ({ target }) => this.#stop(target))
    list.addEventListener('focusout', () => this.#stop(this.#newest))
  }

  measure() {
    // Rounded down: a label that fits only a rounded width would lose its last word.
    this.width = Math.floor(this.#list.getBoundingClientRect().width)
  }

  clear() {
    this.#list.replaceChildren()
    this.rest()
  }

  /** Ends the current bar. */
  rest() {
    this.#bar?.node.classList.remove('going')
    this.#bar = this.#lastBar = undefined
  }

  /** Makes this arrow the only tab stop. The arrow keys move between arrows. */
  #stop(button) {
    if (!button || button === this.#tabStop) return
    if (this.#tabStop) this.#tabStop.tabIndex = -1
    this.#tabStop = button
    button.tabIndex = 0
  }

  #walk(event) {
    const buttons = [...this.#list.querySelectorAll('button')]
    const at = buttons.indexOf(event.target)
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: buttons.length - 1 }[event.key]
    if (at === -1 || to === undefined) return
    event.preventDefault()
    buttons[to]?.focus()
  }

  put(what, into) {
    if (what.kind === 'bar') this.#state(what)
    else if (what.kind === 'end') what.of.line?.land(what.y)
    else if (what.note) {
      if (!into) this.#note(what)
    } else if (into) {
      into.arrows.push(...what.arrows)
      into.say()
    } else this.#arrow(what)
  }

  #note(what) {
    const text = t(what.note, what.values)
    if (what.row) {
      what.row.textContent = text
      move(what.row, what.y)
    } else {
      what.row = make('li', { class: 'note' }, text)
      this.#append(what, what.row, what.y)
    }
  }

  #append(what, node, y) {
    move(node, y)
    what.nodes.push(node)
    this.#list.append(node)
  }

  #state(what) {
    const { state, y } = what
    if (state === (this.#bar?.state ?? '')) return
    const before = this.#bar
    if (before) {
      before.end = y
      stretch(before.node, y - before.y)
      before.node.classList.remove('going')
    }
    this.#bar = undefined
    if (state === '') return
    // Continue the previous bar if the gap is too small to see.
    const last = this.#lastBar
    if (last?.state === state && last.node.isConnected && y - last.end < 3) {
      last.end = undefined
      last.node.classList.add('going')
      this.#bar = last
      return
    }
    const node = make('li', { class: `bar ${state} going`, 'aria-hidden': 'true' })
    this.#bar = { state, y, end: undefined, node }
    this.#lastBar = this.#bar
    what.bar = this.#bar
    this.#append(what, node, y)
  }

  /** What is under way reaches as far as the clock. @param {number} y */
  grow(y) {
    if (this.#bar) stretch(this.#bar.node, y - this.#bar.y)
  }

  raised(by) {
    const bar = this.#lastBar
    if (!bar) return
    bar.y -= by
    if (bar.end !== undefined) bar.end -= by
  }

  #arrow(what) {
    const { arrow, y, lead } = what
    if (!what.row) {
      this.#make(what)
      this.#append(what, what.row, y - lead)
    }
    const { words, cost } = what.parts
    words.style.height = `${what.wordLines * LINE.words}px`
    cost.style.height = `${what.costLines * LINE.cost}px`
    move(what.row, y - lead)
    what.line.from = y
    what.say()
    if (!arrow.delay) what.line.land(y)
  }

  #make(what) {
    const { arrow, caption } = what
    const words = make('span', { class: 'say' })
    words.classList.toggle('caption', caption !== undefined)
    words.classList.toggle('strong', isStrong(what))
    const cost = make('span', { class: 'cost' })
    const who = make('span', { class: 'unseen' })
    what.parts = { words, cost }
    what.line = lineOf(arrow)
    what.say = () => {
      const { words: text, costs } = textsOf(what)
      who.textContent = t(arrow.direction === 'up' ? 'diagram.from.browser' : 'diagram.from.server')
      words.textContent = text
      cost.textContent = costs
    }
    // Observers of new rows expect their text.
    what.say()
    const button = make('button', { type: 'button', tabIndex: -1 }, who, words, what.line.element, cost)
    button.addEventListener('click', () => this.#opened(together(what.arrows)))
    what.row = make('li', { class: `arrow ${arrow.direction} act-${arrow.act}` }, button)
    this.#newest = button
    if (!this.#tabStop?.isConnected || !this.#list.contains(document.activeElement)) this.#stop(button)
  }
}

/** Combines arrows of one kind into one. */
function together(arrows) {
  const [first] = arrows
  if (arrows.length === 1) return first
  const size = arrows.reduce((sum, each) => sum + (each.size ?? 0), 0)
  const ages = arrows.flatMap(({ age }) => age ?? [])
  const age = ages.length > 0 ? Math.max(...ages) : undefined
  const parts = arrows.flatMap(({ parts = [] }) => parts)
  return { ...first, size, age, parts, held: undefined, several: arrows.length }
}

/** Whether the words of an arrow stand out: those of the lesson, and those that bring messages. */
function isStrong({ arrow, caption }) {
  return caption !== undefined || STRONG.has(arrow.act)
}

function textsOf({ arrows, arrow, caption }) {
  const words = caption ? t(caption, { news: arrow.news }) : wordsOf(arrow)
  const times = arrows.length > 1 ? ` ×${arrows.length}` : ''
  return { words: words + times, costs: costsOf(together(arrows)).join(' · ') }
}

function move(node, y) {
  node.y = y
  node.style.transform = `translateY(${y}px)`
}

function stretch(node, height) {
  node.style.height = `${Math.max(2, height)}px`
}

/** Draws an arrow from one lifeline to the other. Its end moves down until it arrives. */
function lineOf({ direction, delay = 0 }) {
  const [from, to] = direction === 'up' ? ['0', '100%'] : ['100%', '0']
  const head = draw('path', { d: direction === 'up' ? 'M0 0L-9 -4.5V4.5Z' : 'M0 0L9 -4.5V4.5Z' })
  const end = draw('svg', { x: to, y: 5, overflow: 'visible' }, head)
  const shaft = draw('line', { x1: from, y1: 5, x2: to, y2: 5 })
  const element = draw('svg', { class: 'line', width: '100%', height: 10, 'aria-hidden': 'true' }, shaft, end)
  if (delay > 0) element.classList.add('travels')
  return {
    element,
    from: 0,
    /** @param {number} y where it arrives */
    land(y) {
      shaft.setAttribute('y2', `${5 + y - this.from}`)
      end.setAttribute('y', `${5 + y - this.from}`)
      element.classList.remove('travels')
    },
  }
}
