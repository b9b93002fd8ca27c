import { addTexts, onLanguage, t, translate } from '../i18n.js'
import { wake } from '../remote-feed.js'
import { stage } from '../stage.js'
import texts from '../texts/controls.js'

/** The sliders: ranges and initial values. */
const SLIDERS = {
  rate: { max: 20, step: 0.5, value: 0 },
  size: { max: 4096, step: 16, value: 64 },
  interval: { min: 200, max: 10_000, step: 100, value: 2000 },
  delay: { max: 2000, step: 10, value: 0 },
  speed: { min: 8, max: 120, step: 4, value: 28 },
  crowd: { max: 200, step: 10, value: 0 },
}

/** @param {HTMLElement} element */
export function mount(element) {
  addTexts(texts)
  const sliders = Object.entries(SLIDERS).map(
    ([name, { min = 0, max, step, value }]) => `
      <div class="slider">
        <label for="${name}" data-i18n="controls.${name}"></label>
        <input type="range" id="${name}" min="${min}" max="${max}" step="${step}" value="${value}"
          aria-describedby="${name}-value">
        <p id="${name}-value" class="hint"></p>
      </div>`,
  )
  element.innerHTML = `
    <div class="controls">${sliders.join('')}</div>
    <h3 data-i18n="controls.networks"></h3>
    <div class="networks"></div>
    <p><button type="button" id="restart" data-i18n="controls.restart"></button></p>
    <p class="hint" data-i18n="controls.restart.hint"></p>
    <p class="outcome" role="status"></p>`
  const outcome = element.querySelector('.outcome')
  const value = (name) => Number(/** @type {HTMLInputElement} */ (element.querySelector(`#${name}`)).value)

  const control = async (asked) => {
    try {
      outcome.textContent = ''
      if (!stage.tap) throw new Error(t('controls.unavailable'))
      await stage.tap.control(asked)
      return true
    } catch (error) {
      outcome.textContent = t('controls.failed', { reason: error.message })
      return false
    }
  }
  const flow = () => control({ type: 'rate', rate: value('rate'), size: value('size') })
  const crowd = async () => {
    for (const transport of stage.lanes.keys()) {
      if (!(await control({ type: 'crowd', transport, count: value('crowd') }))) return
    }
  }
  const set = {
    rate: flow,
    size: flow,
    crowd,
    async delay() {
      const ms = value('delay')
      if (!(await control({ type: 'delay', ms }))) return
      for (const lane of stage.lanes.values()) lane.delay = ms
    },
    interval() {
      stage.pollInterval = value('interval')
      if (stage.running) stage.lanes.get('poll')?.start()
    },
    speed() {
      stage.chart.speed = value('speed')
    },
  }
  const show = () => {
    for (const name of Object.keys(SLIDERS)) {
      element.querySelector(`#${name}-value`).textContent = t(`controls.${name}.value`, {
        value: value(name),
      })
    }
  }
  for (const name of Object.keys(SLIDERS)) {
    const input = element.querySelector(`#${name}`)
    input.addEventListener('input', show)
    input.addEventListener('change', set[name])
  }
  // A restarted server has lost the settings.
  stage.tap?.addEventListener('ready', () => {
    for (const apply of [flow, set.delay, crowd]) void apply()
    for (const lane of stage.lanes.values()) lane.isCut = false
    label()
  })

  const networks = element.querySelector('.networks')
  const label = () => {
    for (const button of networks.querySelectorAll('button')) {
      const lane = stage.lanes.get(button.dataset.cut)
      button.textContent = t(lane.isCut ? 'controls.restore' : 'controls.cut', {
        lane: t(`lane.${lane.transport}`),
      })
    }
  }
  for (const lane of stage.lanes.values()) {
    const button = document.createElement('button')
    button.type = 'button'
    button.dataset.cut = lane.transport
    button.addEventListener('click', async () => {
      const type = lane.isCut ? 'restore' : 'cut'
      // The connections may close before the answer arrives.
      if (type === 'cut') lane.isCut = true
      const done = await control({ type, lane: lane.id })
      lane.isCut = done === (type === 'cut')
      if (type === 'restore' && done) wake()
      label()
    })
    networks.append(button)
  }
  element.querySelector('#restart').addEventListener('click', () => control({ type: 'restart' }))
  onLanguage(() => {
    show()
    label()
  })
  translate(element)
  show()
  label()
}
