import { addTexts, currentLanguage, onLanguage, setLanguage, t, translate } from './i18n.js'
import { Lesson } from './lesson.js'
import { stage } from './stage.js'
import { watchTabs } from './tabs.js'
import diagramTexts from './texts/diagram.js'
import lessonTexts from './texts/lesson.js'
import texts from './texts/page.js'

for (const each of [texts, diagramTexts, lessonTexts]) addTexts(each)

for (const button of document.querySelectorAll('[data-language]')) {
  const press = () => button.setAttribute('aria-pressed', `${button.dataset.language === currentLanguage()}`)
  button.addEventListener('click', () => setLanguage(button.dataset.language))
  onLanguage(press)
  press()
}
translate(document)

// A folded panel is loaded when it is opened for the first time.
for (const details of document.querySelectorAll('[data-panel]')) {
  const open = async () => {
    if (!details.open) return
    details.removeEventListener('toggle', open)
    const place = details.querySelector('.panel')
    try {
      const { mount } = await import(`./panels/${details.dataset.panel}.js`)
      await mount(place)
      translate(place)
    } catch (error) {
      place.textContent = t('page.unavailable', { reason: error.message })
      console.error(error)
    }
  }
  details.addEventListener('toggle', open)
  open()
}

const outcome = document.querySelector('#outcome')
const form = document.querySelector('#publish')

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

watchTabs(document.querySelector('#notice'))
await stage.open()
if (!stage.offers.publish) form.hidden = true
if (!stage.offers.demo) {
  document.querySelector('#play').hidden = true
  outcome.textContent = t('page.nodemo')
} else {
  const lesson = new Lesson(stage, document.querySelector('#lesson'), document.querySelector('#play'))
  document.querySelector('#play').addEventListener('click', () => lesson.toggle())
}
stage.start()
document.documentElement.dataset.ready = 'true'
