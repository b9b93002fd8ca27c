import { addTexts, onLanguage, t, translate } from '../i18n.js'
import { longPollBytes, longPollDelay } from '../lib/model/longpoll.js'
import { pollBytes, pollDelay } from '../lib/model/poll.js'
import uPlot from '../lib/uplot/uPlot.esm.js'
import { stage } from '../stage.js'
import texts from '../texts/controls.js'

/** Seconds that are shown, and over which rates and bytes are taken. */
const SPAN = 60
const MOST = 1200
const LANES = ['poll', 'longpoll', 'sse', 'ws']

/** @param {HTMLElement} element */
export function mount(element) {
  addTexts(texts)
  const sheet = document.createElement('link')
  sheet.rel = 'stylesheet'
  sheet.href = new URL('../lib/uplot/uPlot.min.css', import.meta.url).href
  document.head.append(sheet)
  element.innerHTML = `
    <div class="plots">
      <figure><figcaption data-i18n="plots.delay"></figcaption><div></div></figure>
      <figure><figcaption></figcaption><div></div></figure>
    </div>
    <p class="hint waiting" role="status" data-i18n="plots.waiting"></p>
    <p class="hint" data-i18n="plots.hint"></p>`
  translate(element)
  const [delayPlace, bytesPlace] = element.querySelectorAll('figure > div')
  const caption = element.querySelectorAll('figcaption')[1]
  const name = () => {
    caption.textContent = t('plots.bytes', { seconds: SPAN })
  }
  name()

  const deliveries = []
  const counts = []
  const bytes = []
  const beyond = () => Date.now() - SPAN * 1000
  stage.addEventListener('delivery', ({ transport, delay }) => {
    element.querySelector('.waiting').hidden = true
    deliveries.push({ transport, delay, at: Date.now() })
    if (deliveries.length > MOST) deliveries.shift()
  })
  stage.addEventListener('clear', () => {
    deliveries.length = counts.length = bytes.length = 0
  })

  const delays = plot(delayPlace, true)
  const weights = plot(bytesPlace, false)
  const draw = () => {
    if (document.hidden || element.clientWidth === 0) return
    while (deliveries[0]?.at < beyond()) deliveries.shift()
    while (counts[0]?.at < beyond()) counts.shift()
    while (bytes[0]?.at < beyond()) bytes.shift()
    counts.push({
      at: Date.now(),
      totals: new Map([...stage.lanes].map(([lane, { totals }]) => [lane, { ...totals }])),
    })
    const model = theory(deliveries, counts)
    bytes.push({ at: Date.now(), values: LANES.map((lane) => model.measured[lane]), model: model.bytes })
    const times = deliveries.map(({ at }) => at / 1000)
    delays.setData([
      times,
      ...LANES.map((lane) =>
        deliveries.map(({ transport, delay }) => (transport === lane ? Math.max(0.6, delay) : null)),
      ),
      ...LANES.map((lane) =>
        times.map(() => (model.delay[lane] === undefined ? null : Math.max(0.6, model.delay[lane]))),
      ),
    ])
    weights.setData([
      bytes.map(({ at }) => at / 1000),
      ...LANES.map((_, index) => bytes.map(({ values }) => values[index] ?? null)),
      ...LANES.map((lane) => bytes.map(({ model }) => model[lane] ?? null)),
    ])
    for (const [each, place] of [
      [delays, delayPlace],
      [weights, bytesPlace],
    ]) {
      if (each.width !== place.clientWidth) each.setSize({ width: place.clientWidth, height: 260 })
    }
  }
  setInterval(draw, 1000)
  draw()
  onLanguage(name)
}

/** What the theory says of the last minute, and what has come. Times of the model are in seconds. */
function theory(deliveries, counts) {
  const [first, last] = [counts[0], counts.at(-1)]
  const seconds = (last.at - first.at) / 1000
  const result = { delay: {}, bytes: {}, measured: {} }
  for (const lane of LANES) {
    const got = deliveries.filter(({ transport, at }) => transport === lane && at > first.at).length
    const [before, after] = [first.totals.get(lane), last.totals.get(lane)]
    if (got < 2 || seconds < 3 || !(after?.requests >= before?.requests)) continue
    const sum = after.up + after.down - before.up - before.down
    result.measured[lane] = sum / got
    const requests = after.requests - before.requests
    const exchange = requests > 0 ? sum / requests : 0
    const rate = got / seconds
    const oneWay = stage.lanes.get(lane).delay / 1000
    if (lane === 'poll') {
      // The client waits from half of its interval to all of it, and then for the answer.
      const cycles = Array.from(
        { length: 11 },
        (_, i) => (stage.pollInterval / 1000) * (0.5 + i / 20) + 2 * oneWay,
      )
      const weight = { empty: exchange, full: exchange, message: 0 }
      result.delay[lane] = pollDelay({ oneWay, cycles }) * 1000
      result.bytes[lane] = pollBytes({ rate, oneWay, cycles }, weight)
    } else if (lane === 'longpoll') {
      const polling = { rate, oneWay, gap: 2 * oneWay + 0.002, wait: 25 }
      result.delay[lane] = longPollDelay(polling) * 1000
      result.bytes[lane] = longPollBytes(polling, { empty: exchange, full: exchange, message: 0 })
    } else result.delay[lane] = oneWay * 1000
  }
  return result
}

function plot(place, dots) {
  const colour = (lane) => () => getComputedStyle(document.documentElement).getPropertyValue(`--lane-${lane}`)
  const quiet = () => getComputedStyle(document.documentElement).getPropertyValue('--quiet')
  const grid = () => getComputedStyle(document.documentElement).getPropertyValue('--line')
  const axis = { stroke: quiet, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
  const measured = LANES.map((lane) => ({
    label: t(`lane.${lane}`),
    stroke: colour(lane),
    width: 2,
    spanGaps: true,
    ...(dots && { paths: () => null }),
    points: { show: dots, size: 5, fill: colour(lane) },
  }))
  const modelled = LANES.map((lane) => ({
    stroke: colour(lane),
    width: 1.5,
    dash: [6, 5],
    points: { show: false },
  }))
  return new uPlot(
    {
      width: place.clientWidth || 400,
      height: 260,
      scales: dots ? { y: { distr: 3, range: (_plot, _min, max) => [0.5, Math.max(100, max * 1.5)] } } : {},
      legend: { show: false },
      cursor: { show: false },
      axes: [axis, { ...axis, size: 64 }],
      series: [{}, ...measured, ...modelled],
    },
    [[], ...measured.map(() => []), ...modelled.map(() => [])],
    place,
  )
}
