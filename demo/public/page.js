import { addTexts, currentLanguage, onLanguage, setLanguage, t, translate } from './i18n.js'
import { Lesson } from './lesson.js'
import { make, say } from './parts.js'
import { stage } from './stage.js'
import { watchTabs } from './tabs.js'
import diagramTexts from './texts/diagram.js'
import lessonTexts from './texts/lesson.js'
import texts from './texts/page.js'

// The build bundles this module. Other scripts reach its parts here.
export { scripts } from './script.js'
export { stage }

for (const each of [texts, diagramTexts, lessonTexts]) addTexts(each)

for (const button of document.querySelectorAll('[data-language]')) {
  const press = () => button.setAttribute('aria-pressed', `${button.dataset.language === currentLanguage()}`)
  button.addEventListener('click', () => setLanguage(button.dataset.language === 'zh' ? 'zh' : 'en'))
  onLanguage(press)
  press()
}
translate(document)

/** Loads a panel when it is opened. After a failure, it loads when the reader asks, or when the server is back. */
class Panel {
  #details
  #place
  #state = 'empty'

  /** @param {HTMLDetailsElement} details */
  constructor(details) {
    this.#details = details
    this.#place = details.querySelector('.panel')
    details.addEventListener('toggle', () => this.load())
    this.load()
  }

  async load() {
    if (!this.#details.open || this.#state !== 'empty') return
    this.#state = 'loading'
    try {
      const { panel, needs } = this.#details.dataset
      if (needs && !stage.offers[needs]) {
        this.#place.replaceChildren(make('p', { say: 'page.needs' }))
        this.#state = 'loaded'
        return
      }
      const { mount } = await import(`./panels/${panel}.js`)
      await mount(this.#place)
      translate(this.#place)
      this.#state = 'loaded'
    } catch (error) {
      this.#state = 'empty'
      const why = make('p', { role: 'status' })
      say(why, 'page.unavailable', { reason: error.message })
      const again = make('button', { type: 'button', say: 'page.again' })
      again.addEventListener('click', () => this.load())
      this.#place.replaceChildren(why, again)
    }
  }
}

const outcome = document.querySelector('#outcome')
const form = /** @type {HTMLFormElement} */ (document.querySelector('#publish'))

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  try {
    const { cursor } = await stage.publish(form.text.value)
    outcome.classList.remove('bad')
    outcome.textContent = t('publish.done', { cursor })
  } catch (error) {
    outcome.classList.add('bad')
    outcome.textContent = t('publish.failed', { reason: error.message })
  }
})

/** Selects the lane that a narrow screen shows. @param {string} lane */
function pick(lane) {
  for (const each of document.querySelectorAll('[data-pick]')) {
    each.setAttribute('aria-pressed', `${each.dataset.pick === lane}`)
  }
  for (const each of document.querySelectorAll('.ends > p, #chart ol')) {
    each.classList.toggle('picked', each.dataset.lane === lane)
  }
}

for (const button of document.querySelectorAll('[data-pick]')) {
  button.addEventListener('click', () => pick(button.dataset.pick))
}
pick('poll')

const hold = document.querySelector('#hold')
const showHold = () => {
  hold.dataset.i18n = stage.chart.paused ? 'diagram.goon' : 'diagram.pause'
  translate(hold.parentElement)
}

const notice = document.querySelector('#notice')
await stage.open()
if (!stage.recording) watchTabs(notice)
else {
  const { date } = stage.recording
  const show = () => {
    const day = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'long' }).format(date)
    say(notice, 'page.recorded', { day })
  }
  show()
  onLanguage(show)
  // Without a server, these links lead nowhere.
  for (const link of document.querySelectorAll('.endpoints a')) link.removeAttribute('href')
}
document.querySelector('#chart').addEventListener('pause', showHold)
hold.addEventListener('click', () => {
  stage.chart.paused = !stage.chart.paused
})
const panels = Array.from(
  document.querySelectorAll('[data-panel]'),
  (details) => new Panel(/** @type {HTMLDetailsElement} */ (details)),
)
/** Opens the panel that the address names. */
const follow = () => {
  const target = document.getElementById(location.hash.slice(1))
  if (!(target instanceof HTMLDetailsElement)) return
  target.open = true
  target.scrollIntoView()
}
addEventListener('hashchange', follow)
follow()
stage.tap?.addEventListener('ready', () => {
  for (const panel of panels) panel.load()
})
if (!stage.offers.publish) form.hidden = true
if (!stage.sees) {
  document.querySelector('#play').hidden = true
  outcome.textContent = t('page.nodemo')
} else {
  const lesson = new Lesson(
    stage,
    document.querySelector('#lesson'),
    /** @type {HTMLButtonElement} */ (document.querySelector('#play')),
  )
  lesson.addEventListener('lane', ({ lane }) => pick(lane))
}
stage.start()
performance.mark('ready')
document.documentElement.dataset.ready = 'true'
