import { addTexts, currentLanguage, onLanguage, setLanguage, t, translate } from './i18n.js'
import texts from './texts/page.js'

addTexts(texts)

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
