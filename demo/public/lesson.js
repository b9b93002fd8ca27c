import { timeText } from './bytes.js'
import { currentLanguage, onLanguage, t, translate } from './i18n.js'
import { make, say } from './parts.js'
import { Scene, Trouble } from './scene.js'
import { scripts } from './script.js'

/** How many times as long as usual each pause takes: `?pace=0.5` plays it twice as fast. */
const PACE = Math.min(4, Math.max(0.02, Number(new URLSearchParams(location.search).get('pace')) || 1))

const LANES = ['poll', 'longpoll', 'sse', 'ws']

/** Milliseconds that can't be told apart: both the server and the browser tell the time in whole ones. */
const APART = 2

/** The lesson: each transport tells its story with real traffic, then one message crosses all four. */
export class Lesson {
  #stage
  #place
  #button
  /** @type {AbortController | undefined} of the run under way */
  #run
  /** Says the story, or the result, in whatever language is chosen. */
  #tell
  /** The captions, for those who hear the page. */
  #aloud = make('p', { class: 'unseen', role: 'status' })

  /** @param {import('./stage.js').Stage} stage @param {HTMLElement} place @param {HTMLButtonElement} button */
  constructor(stage, place, button) {
    this.#stage = stage
    this.#place = place
    this.#button = button
    place.after(this.#aloud)
    onLanguage(() => this.#tell?.())
  }

  toggle() {
    if (this.#run) this.#run.abort()
    else void this.#play()
  }

  async #play() {
    const run = new AbortController()
    const { signal } = run
    this.#run = run
    const before = this.#stage.channel
    this.#label('lesson.stop', true)
    const stop = (event) => {
      // An open dialog takes the key for itself.
      if (event.key === 'Escape' && !document.querySelector('dialog[open]')) run.abort()
    }
    document.addEventListener('keydown', stop, { signal })
    try {
      const guess = await this.#guess(signal)
      this.#stage.stop()
      this.#stage.clear(`lesson.${crypto.getRandomValues(new Uint32Array(2)).join('')}`)
      for (const name of LANES) await this.#chapter(name, signal)
      await this.#cross(guess, signal)
    } catch (error) {
      if (!signal.aborted) this.#fail(error)
    }
    this.#end(before, signal.aborted)
    run.abort()
  }

  #label(key, playing) {
    this.#button.dataset.i18n = key
    this.#button.classList.toggle('playing', playing)
    translate(this.#button.parentElement)
  }

  #end(channel, stopped) {
    this.#run = undefined
    this.#label('lesson.play', false)
    this.#aloud.textContent = ''
    if (stopped) {
      if (this.#place.contains(document.activeElement)) this.#button.focus()
      this.#place.replaceChildren()
      this.#tell = undefined
    }
    for (const lane of this.#stage.lanes.values()) lane.stop()
    this.#stage.channel = channel
    this.#stage.ledger.clear()
    if (stopped) this.#stage.clear(channel)
    else for (const lane of this.#stage.lanes.values()) lane.leap()
    this.#stage.start()
  }

  /** What the reader expects, before anything has happened. */
  #guess(signal) {
    const form = document.createElement('form')
    form.className = 'guess'
    const choices = (name) =>
      LANES.map(
        (lane) =>
          `<label><input type="radio" name="${name}" value="${lane}"><span data-i18n="lane.${lane}"></span></label>`,
      ).join('')
    form.innerHTML = `
      <p class="story" data-i18n="lesson.guess"></p>
      <fieldset><legend data-i18n="lesson.first"></legend>${choices('first')}</fieldset>
      <fieldset><legend data-i18n="lesson.most"></legend>${choices('most')}</fieldset>
      <button type="submit" class="main" data-i18n="lesson.begin"></button>`
    translate(form)
    this.#place.replaceChildren(form)
    form.querySelector('input').focus()
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
      form.addEventListener('submit', (event) => {
        event.preventDefault()
        resolve({ first: form.first.value, most: form.most.value })
      })
    })
  }

  /** @param {string} key @param {() => Record<string, string | number>} [values] in the language of now */
  #say(key, values = () => ({})) {
    const text = make('p', { class: 'story', role: 'status', tabIndex: -1 })
    this.#tell = () => say(text, key, values())
    this.#tell()
    this.#show(text)
  }

  /** What had the focus hands it on. */
  #show(element) {
    const focused = this.#place.contains(document.activeElement)
    this.#place.replaceChildren(element)
    if (focused) element.focus()
  }

  #fail(error) {
    if (error instanceof Trouble) {
      this.#say(error.key, () => ({ lane: error.lane ? t(`lane.${error.lane}`) : t('lesson.trouble.some') }))
    } else this.#say('lesson.failed', () => ({ reason: error.message }))
  }

  /**
   * Plays one part: its lanes are its own while it lasts.
   * @param {import('./lane.js').Lane[]} lanes
   * @param {(scene: Scene) => Promise<void>} play
   */
  async #scene(lanes, signal, play) {
    const scene = new Scene(this.#stage, lanes, signal, PACE)
    for (const lane of lanes) {
      lane.element.classList.add('speaking')
      lane.addEventListener('arrow', ({ caption, arrow }) => this.#speak(caption, arrow), {
        signal: scene.signal,
      })
    }
    try {
      await play(scene)
    } finally {
      scene.end()
      for (const lane of lanes) {
        lane.caption = undefined
        lane.element.classList.remove('speaking')
      }
    }
  }

  #speak(caption, { direction, news }) {
    if (caption) this.#aloud.textContent = t(`diagram.says.${direction}`, { words: t(caption, { news }) })
  }

  async #chapter(name, signal) {
    const lane = this.#stage.lanes.get(name)
    if (!lane) return
    this.#say(`lesson.${name}`)
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches
    lane.element.scrollIntoView({ block: 'nearest', behavior: calm ? 'auto' : 'smooth' })
    await this.#scene([lane], signal, async (scene) => {
      await scene.pause(1200)
      // What an earlier chapter has told is not told again.
      lane.clear()
      await scripts[name](scene)
    })
    lane.stop()
    await this.#scene([lane], signal, (scene) => scene.pause(1200))
  }

  /** One message for all four: who hears it first, and who has asked most? */
  async #cross(guess, signal) {
    const lanes = [...this.#stage.lanes.values()]
    this.#say('lesson.cross')
    await this.#scene(lanes, signal, async (scene) => {
      const cursor = await this.#stage.place()
      // All begin at the same place: what came before it is not missed.
      this.#stage.ledger.clear()
      const open = lanes.map((lane) => scene.until(lane, 'open'))
      for (const lane of lanes) {
        lane.clear(cursor)
        lane.start({ pollInterval: 2000 * PACE })
      }
      // Each lane has its connection, and short polling has asked a few times.
      await Promise.all([...open, scene.pause(6000)])
      const heard = []
      await scene.publish(t('lesson.news.all'), ({ transport, delay }) => heard.push({ transport, delay }))
      await scene.pause(300)
      this.#result(guess, heard, lanes)
    })
  }

  /** What was guessed is held against this very run. */
  #result(guess, heard, lanes) {
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
        guess.first || guess.most ? t('lesson.right', { count: right }) : t('lesson.noguess'),
        t('lesson.why'),
      ]
      box.replaceChildren(...lines.map((line) => make('p', {}, line)))
    }
    this.#tell()
    this.#show(box)
  }
}

function namesOf(lanes) {
  const names = lanes.map((lane) => t(`lane.${lane}`))
  return new Intl.ListFormat(currentLanguage() === 'zh' ? 'zh-Hans' : 'en').format(names)
}
