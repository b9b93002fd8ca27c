import { timeText } from './bytes.js'
import { currentLanguage, onLanguage, t, translate } from './i18n.js'
import { make, say } from './parts.js'
import { move, OFF } from './player.js'
import { Scene, Trouble } from './scene.js'
import { scripts } from './script.js'

/** A factor for all pauses: `?pace=0.5` plays the lesson twice as fast. */
const PACE = Math.min(4, Math.max(0.02, Number(new URLSearchParams(location.search).get('pace')) || 1))

const LANES = ['poll', 'longpoll', 'sse', 'ws']

/** Differences below this many milliseconds are not meaningful: both clocks count whole milliseconds. */
const APART = 2

/**
 * The lesson: each transport is explained with real traffic, then one message is sent over all four. The player keeps
 * the state; the current part is a scene, which uses its lanes exclusively. Fires `lane` with the current transport.
 */
export class Lesson extends EventTarget {
  #stage
  #scripts
  #place
  #button
  #told = make('div', { id: 'told' })
  #back = make('button', { type: 'button', id: 'lesson-back', say: 'lesson.back' })
  #pause = make('button', { type: 'button', id: 'lesson-pause', say: 'lesson.pause' })
  #next = make('button', { type: 'button', id: 'lesson-next', say: 'lesson.next' })
  #stop = make('button', { type: 'button', id: 'lesson-stop', say: 'lesson.stop' })
  #count = make('p', { class: 'count' })
  #bar = make(
    'div',
    { class: 'bar', hidden: true },
    this.#back,
    this.#pause,
    this.#next,
    this.#stop,
    this.#count,
  )
  /** A live region that speaks the captions. */
  #aloud = make('p', { class: 'unseen', role: 'status' })
  /** @type {import('./player.js').State} */
  #state = OFF
  /** @type {Scene | undefined} the part under way */
  #scene
  /** The names of the parts: one for each lane, and `cross`. */
  #parts
  #guess = { first: '', most: '' }
  /** The channel outside the lesson. */
  #channel
  /** Writes the story or the result in the current language. */
  #tell

  /** @param {import('./stage.js').Stage} stage @param {HTMLElement} place @param {HTMLButtonElement} button */
  constructor(stage, place, button) {
    super()
    this.#stage = stage
    this.#scripts = stage.recording?.scripts ?? scripts
    this.#place = place
    this.#button = button
    this.#parts = [...LANES.filter((name) => stage.lanes.has(name)), 'cross']
    place.append(this.#told, this.#bar)
    place.after(this.#aloud)
    button.addEventListener('click', () => this.#move(this.#state === OFF ? 'play' : 'stop'))
    this.#back.addEventListener('click', () => this.#move('back'))
    this.#next.addEventListener('click', () => this.#move('next'))
    this.#stop.addEventListener('click', () => this.#move('stop'))
    this.#pause.addEventListener('click', () => this.#move(this.#state.name === 'playing' ? 'pause' : 'play'))
    document.addEventListener('keydown', (event) => {
      // An open dialog handles the key itself.
      if (event.key === 'Escape' && !document.querySelector('dialog[open]')) this.#move('stop')
    })
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState !== 'visible') this.#move('pause')
    })
    onLanguage(() => {
      this.#label()
      this.#tell?.()
    })
  }

  /** @param {import('./player.js').Move} asked @param {unknown} [error] of a part that failed */
  #move(asked, error) {
    const before = this.#state
    const state = move(before, asked, this.#parts.length)
    if (state === before) return
    const focused = this.#place.contains(document.activeElement)
    this.#state = state
    if (before === OFF) this.#open()
    if (state.name === 'paused') this.#scene.hold()
    else if (before.name === 'paused' && asked === 'play') this.#scene.go()
    else {
      if (state.name !== 'ending') this.#leave()
      if (state.name === 'guess') this.#ask()
      else if (state.name === 'playing') this.#play(this.#parts[state.step - 1])
      else if (state.name === 'off') this.#close(error)
    }
    this.#label()
    if (state !== OFF) this.#place.parentElement.scrollIntoView({ block: 'start' })
    if (focused) this.#keepFocus()
  }

  /** Moves the focus if its element is gone, so that it does not fall to the body. */
  #keepFocus() {
    const { activeElement } = document
    if (this.#place.contains(activeElement) && activeElement.checkVisibility()) return
    if (this.#state === OFF) (this.#told.querySelector('.story') ?? this.#button).focus()
    else if (this.#state.name !== 'guess') this.#pause.focus({ preventScroll: true })
  }

  #label() {
    const { name, step } = this.#state
    this.#button.dataset.i18n = name === 'off' ? 'lesson.play' : 'lesson.stop'
    this.#button.classList.toggle('playing', name !== 'off')
    translate(this.#button.parentElement)
    this.#bar.hidden = name === 'off' || name === 'guess'
    const [pause, next] = {
      ending: ['again', this.#stage.recording ? 'end' : 'goon'],
      paused: ['resume', 'next'],
    }[name] ?? ['pause', 'next']
    say(this.#pause, `lesson.${pause}`)
    say(this.#next, `lesson.${next}`)
    // At the end, stopping is the same as continuing.
    this.#stop.hidden = name === 'ending'
    this.#count.textContent = step > 0 ? t('lesson.part', { step, count: this.#parts.length }) : ''
  }

  #open() {
    this.#place.parentElement.classList.add('plays')
    this.#channel = this.#stage.channel
    this.#stage.stop()
    this.#stage.clear(`lesson.${crypto.getRandomValues(new Uint32Array(2)).join('')}`)
  }

  #close(error) {
    this.#place.parentElement.classList.remove('plays')
    this.#aloud.textContent = ''
    this.#tell = undefined
    this.#told.replaceChildren()
    if (error) this.#fail(error)
    this.#stage.clear(this.#channel)
    this.#stage.start()
  }

  /** Ends the current part at once, and frees its lanes. */
  #leave() {
    const scene = this.#scene
    this.#scene = undefined
    scene?.end()
    for (const lane of scene?.lanes ?? []) {
      lane.caption = undefined
      lane.element.classList.remove('speaking')
      lane.stop()
    }
  }

  /** @param {string} name of a lane, or `cross` */
  async #play(name) {
    const lanes = name === 'cross' ? [...this.#stage.lanes.values()] : [this.#stage.lanes.get(name)]
    const scene = new Scene(this.#stage, lanes, PACE)
    this.#scene = scene
    for (const lane of lanes) {
      lane.element.classList.add('speaking')
      lane.addEventListener('arrow', ({ caption, arrow }) => this.#speak(caption, arrow), {
        signal: scene.signal,
      })
    }
    try {
      this.#stage.recording?.begin(name, PACE)
      if (name === 'cross') await this.#cross(scene)
      else await this.#chapter(name, scene)
    } catch (error) {
      if (this.#scene === scene) this.#move('fail', error)
      return
    }
    if (this.#scene === scene) this.#move('done')
  }

  /** Asks the reader for a guess. */
  #ask() {
    const choices = (name) =>
      LANES.map((lane) =>
        make(
          'label',
          {},
          make('input', { type: 'radio', name, value: lane, checked: this.#guess[name] === lane }),
          make('span', { say: `lane.${lane}` }),
        ),
      )
    const form = make(
      'form',
      { class: 'guess' },
      make('p', { class: 'story', say: 'lesson.guess' }),
      make('fieldset', {}, make('legend', { say: 'lesson.first' }), ...choices('first')),
      make('fieldset', {}, make('legend', { say: 'lesson.most' }), ...choices('most')),
      make('button', { type: 'submit', class: 'main', say: 'lesson.begin' }),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#guess = { first: form.first.value, most: form.most.value }
      this.#move('next')
    })
    this.#tell = undefined
    this.#told.replaceChildren(form)
    form.querySelector('input').focus({ preventScroll: true })
  }

  /** @param {string} key @param {() => Record<string, string | number>} [values] in the language of now */
  #say(key, values = () => ({})) {
    const text = make('p', { class: 'story', role: 'status', tabIndex: -1 })
    this.#tell = () => say(text, key, values())
    this.#tell()
    this.#told.replaceChildren(text)
  }

  #fail(error) {
    if (error instanceof Trouble) {
      this.#say(error.key, () => ({ lane: error.lane ? t(`lane.${error.lane}`) : t('lesson.trouble.some') }))
    } else this.#say('lesson.failed', () => ({ reason: error.message }))
  }

  /** @param {string | undefined} caption @param {import('./arrow.js').Arrow} arrow */
  #speak(caption, { direction, news }) {
    if (caption) this.#aloud.textContent = t(`diagram.says.${direction}`, { words: t(caption, { news }) })
  }

  /** @param {string} name @param {Scene} scene */
  async #chapter(name, scene) {
    const { lane } = scene
    this.dispatchEvent(Object.assign(new Event('lane'), { lane: name }))
    this.#say(`lesson.${name}`)
    // The lane starts at a new cursor, so that it does not repeat earlier messages.
    this.#stage.chart.solo(name)
    lane.clear()
    await scene.pause(1200)
    await this.#scripts[name](scene)
    lane.stop()
    await scene.pause(1200)
  }

  /** One message for all four: who hears it first, and who has asked most? @param {Scene} scene */
  async #cross(scene) {
    const { lanes } = scene
    this.#say('lesson.cross')
    this.#stage.ledger.clear()
    this.#stage.chart.together({ keep: true })
    const heard = await this.#scripts.cross(scene)
    // Keep the diagram until the reader continues.
    this.#stage.chart.frozen = true
    for (const lane of lanes) lane.stop()
    this.#result(heard, lanes)
  }

  /** Compares the guess with this run. */
  #result(heard, lanes) {
    const guess = this.#guess
    const time = Math.min(...heard.map(({ delay }) => delay))
    const first = heard.filter(({ delay }) => delay - time < APART).map(({ transport }) => transport)
    const count = Math.max(...lanes.map(({ totals }) => totals.requests))
    const most = lanes.filter(({ totals }) => totals.requests === count).map(({ transport }) => transport)
    const right = [first.includes(guess.first), most.includes(guess.most)].filter(Boolean).length
    const box = make('div', { class: 'result', role: 'status', tabIndex: -1 })
    this.#tell = () => {
      const lines = [
        t(first.length > 1 ? 'lesson.first.together' : 'lesson.first.alone', {
          first: namesOf(first),
          time: timeText(time),
          apart: APART,
        }),
        t('lesson.most.is', { most: namesOf(most), count }),
        ...(guess.first || guess.most ? [t('lesson.right', { count: right })] : []),
        t('lesson.still'),
      ]
      const why = make('summary', {}, t('lesson.why'))
      const because = make('details', {}, why, make('p', {}, t('lesson.because')))
      box.replaceChildren(...lines.map((line) => make('p', {}, line)), because)
    }
    this.#tell()
    this.#told.replaceChildren(box)
  }
}

function namesOf(lanes) {
  const names = lanes.map((lane) => t(`lane.${lane}`))
  return new Intl.ListFormat(currentLanguage() === 'zh' ? 'zh-Hans' : 'en').format(names)
}
