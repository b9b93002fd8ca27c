import { timeText } from './bytes.js'
import { currentLanguage, onLanguage, t, translate } from './i18n.js'
import { make, say } from './parts.js'
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
  #ended
  #before = 'default'

  /** @param {import('./stage.js').Stage} stage @param {HTMLElement} place @param {HTMLButtonElement} button */
  constructor(stage, place, button) {
    this.#stage = stage
    this.#place = place
    this.#button = button
    onLanguage(() => this.#tell?.())
  }

  /** Says the result, in whatever language is chosen. */
  #tell

  toggle() {
    if (this.#ended) this.#ended.abort()
    else void this.#play()
  }

  async #play() {
    const ended = new AbortController()
    this.#ended = ended
    this.#button.dataset.i18n = 'lesson.stop'
    this.#button.classList.add('playing')
    translate(this.#button.parentElement)
    this.#before = this.#stage.channel
    try {
      const guess = await this.#guess(ended.signal)
      this.#stage.stop()
      const channel = `lesson.${crypto.getRandomValues(new Uint32Array(2)).join('')}`
      this.#stage.clear(channel, await this.#stage.place(channel))
      for (const name of LANES) await this.#chapter(name, ended.signal)
      await this.#cross(guess, ended.signal)
    } catch (error) {
      if (!ended.signal.aborted) this.#say('lesson.failed', { reason: error.message })
    } finally {
      this.#end()
    }
  }

  #end() {
    const aborted = this.#ended.signal.aborted
    this.#ended.abort()
    this.#ended = undefined
    this.#button.dataset.i18n = 'lesson.play'
    this.#button.classList.remove('playing')
    translate(this.#button.parentElement)
    if (aborted) {
      this.#place.replaceChildren()
      this.#tell = undefined
    }
    for (const lane of this.#stage.lanes.values()) {
      lane.caption = lane.heard = undefined
      lane.element.classList.remove('speaking')
      lane.stop()
    }
    this.#stage.channel = this.#before
    this.#stage.ledger.clear()
    if (aborted) this.#stage.clear(this.#before)
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

  #say(key, values) {
    const text = make('p', { class: 'story', role: 'status' })
    say(text, key, values)
    this.#place.replaceChildren(text)
    this.#tell = undefined
  }

  async #chapter(name, signal) {
    const lane = this.#stage.lanes.get(name)
    if (!lane) return
    this.#say(`lesson.${name}`)
    lane.element.classList.add('speaking')
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches
    lane.element.scrollIntoView({ block: 'nearest', behavior: calm ? 'auto' : 'smooth' })
    await pause(1200, signal)
    await scripts[name]({
      lane,
      signal,
      pace: PACE,
      pause: (ms) => pause(ms, signal),
      publish: (number) => this.#stage.publish(t(`lesson.news.${number}`)),
    })
    await pause(1200, signal)
    lane.element.classList.remove('speaking')
  }

  /** One message for all four: who hears it first, and who has asked most? */
  async #cross(guess, signal) {
    const lanes = [...this.#stage.lanes.values()]
    this.#say('lesson.cross')
    const cursor = await this.#stage.place()
    const heard = []
    // All begin at the same place: what came before it is not missed.
    this.#stage.ledger.clear()
    for (const lane of lanes) {
      lane.caption = undefined
      lane.clear(cursor)
      lane.start({ pollInterval: 2000 * PACE })
    }
    for (const lane of lanes) lane.element.classList.add('speaking')
    // Each lane has its connection, and short polling has asked a few times.
    await pause(6000, signal)
    while (lanes.some(({ element }) => element.dataset.status !== '1')) await pause(100, signal)
    await new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
      this.#stage.addEventListener('delivery', ({ transport, delay }) => {
        heard.push({ transport, delay })
        if (heard.length === lanes.length) resolve()
      })
      this.#stage.publish(t('lesson.news.all')).catch(reject)
    })
    await pause(300, signal)
    this.#result(guess, heard, lanes)
  }

  /** What was guessed is held against this very run. */
  #result(guess, heard, lanes) {
    const time = Math.min(...heard.map(({ delay }) => delay))
    const first = heard.filter(({ delay }) => delay - time < APART).map(({ transport }) => transport)
    const count = Math.max(...lanes.map(({ totals }) => totals.requests))
    const most = lanes.filter(({ totals }) => totals.requests === count).map(({ transport }) => transport)
    const right = [first.includes(guess.first), most.includes(guess.most)].filter(Boolean).length
    const box = make('div', { class: 'result', role: 'status' })
    this.#place.replaceChildren(box)
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
  }
}

function namesOf(lanes) {
  const names = lanes.map((lane) => t(`lane.${lane}`))
  return new Intl.ListFormat(currentLanguage() === 'zh' ? 'zh-Hans' : 'en').format(names)
}

/** @param {number} ms at the usual pace */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const end = () => reject(signal.reason)
    signal.addEventListener('abort', end, { once: true })
    setTimeout(() => {
      signal.removeEventListener('abort', end)
      resolve()
    }, ms * PACE)
  })
}
