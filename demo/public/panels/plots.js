import { sizeText, timeText } from '../bytes.js'
import { addTexts, onLanguage, t, translate } from '../i18n.js'
import uPlot from '../lib/uplot/uPlot.esm.js'
import { stage } from '../stage.js'
import texts from '../texts/controls.js'
import { Rhythm } from '../theory.js'

/** Seconds in the plots, and the period of rates and bytes. */
const SPAN = 60
/** Maximum deliveries kept. Beyond it, the period is shorter. */
const MOST = 6000
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
    <p class="see" data-i18n="plots.see"></p>
    <p class="hint waiting" role="status" data-i18n="plots.waiting"></p>
    <table class="compared">
      <thead>
        <tr>
          <td rowspan="2"></td>
          <th scope="colgroup" colspan="2" data-i18n="plots.compared.delay"></th>
          <th scope="colgroup" colspan="2" data-i18n="plots.compared.bytes"></th>
        </tr>
        <tr>${'<th scope="col" data-i18n="plots.measured"></th><th scope="col" data-i18n="plots.theory"></th>'.repeat(2)}</tr>
      </thead>
      <tbody>${[...stage.lanes.keys()]
        .map(
          (lane) => `<tr data-plotted="${lane}"><th scope="row" data-i18n="lane.${lane}"></th>
        <td></td><td></td><td></td><td></td></tr>`,
        )
        .join('')}</tbody>
    </table>
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
  const rhythms = new Map([...stage.lanes.keys()].map((lane) => [lane, new Rhythm()]))
  const beyond = () => Date.now() - SPAN * 1000
  stage.addEventListener('delivery', ({ transport, delay, data }) => {
    element.querySelector('.waiting').hidden = true
    deliveries.push({ transport, delay, at: Date.now(), size: sizeOf(data) })
    if (deliveries.length > MOST) deliveries.shift()
  })
  const byId = new Map([...stage.lanes.values()].map(({ id, transport }) => [id, rhythms.get(transport)]))
  stage.tap?.addEventListener('pieces', ({ pieces }) => {
    for (const piece of pieces) byId.get(piece.lane)?.take(piece)
  })
  const rest = () => {
    for (const rhythm of rhythms.values()) rhythm.rest()
  }
  document.addEventListener('visibilitychange', rest)
  stage.addEventListener('clear', () => {
    deliveries.length = counts.length = bytes.length = 0
    rest()
  })

  let delays
  let weights
  /** Creates the plots, with legends in the current language. */
  const replot = () => {
    delays?.destroy()
    weights?.destroy()
    delays = plot(delayPlace, true)
    weights = plot(bytesPlace, false)
  }
  replot()
  const draw = () => {
    if (document.hidden || element.clientWidth === 0) return
    while (deliveries[0]?.at < beyond()) deliveries.shift()
    const from = deliveries.length === MOST ? deliveries[0].at : beyond()
    while (counts[0]?.at < from) counts.shift()
    while (bytes[0]?.at < beyond()) bytes.shift()
    counts.push({
      at: Date.now(),
      totals: new Map([...stage.lanes].map(([lane, { totals }]) => [lane, { ...totals }])),
    })
    for (const rhythm of rhythms.values()) rhythm.forget(from)
    const model = theory(deliveries, counts, rhythms)
    bytes.push({ at: Date.now(), values: LANES.map((lane) => model.measured[lane]), model: model.bytes })
    compare(element, model)
    const ago = ({ at }) => (at - Date.now()) / 1000
    const times = deliveries.map(ago)
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
      bytes.map(ago),
      ...LANES.map((_, index) => bytes.map(({ values }) => values[index] ?? null)),
      ...LANES.map((lane) => bytes.map(({ model }) => model[lane] ?? null)),
    ])
  }
  setInterval(draw, 1000)
  draw()
  onLanguage(() => {
    name()
    replot()
    draw()
  })
}

/** Returns the size of a message's data as JSON, without the quotes of a string. */
function sizeOf(data) {
  return new TextEncoder().encode(JSON.stringify(data)).length - 2
}

/** Compares theory and measurement of the last minute. */
function theory(deliveries, counts, rhythms) {
  const [first, last] = [counts[0], counts.at(-1)]
  const seconds = (last.at - first.at) / 1000
  const result = { delay: {}, bytes: {}, measured: {}, mean: {} }
  for (const lane of LANES) {
    const got = deliveries.filter(({ transport, at }) => transport === lane && at > first.at)
    const [before, after] = [first.totals.get(lane), last.totals.get(lane)]
    if (got.length < 2 || seconds < 3 || !(after?.requests >= before?.requests)) continue
    result.mean[lane] = got.reduce((sum, { delay }) => sum + delay, 0) / got.length
    result.measured[lane] = (after.up + after.down - before.up - before.down) / got.length
    const predicted = rhythms.get(lane).predict(lane, {
      rate: got.length / seconds,
      oneWay: (stage.lanes.get(lane).delay + stage.tap.trip / 2) / 1000,
      payload: got.reduce((sum, { size }) => sum + size, 0) / got.length,
      channel: stage.channel.length,
    })
    result.delay[lane] = predicted.delay
    result.bytes[lane] = predicted.bytes
  }
  return result
}

/** Shows the same figures as a table. */
function compare(element, { mean, delay, measured, bytes }) {
  for (const row of element.querySelectorAll('[data-plotted]')) {
    const lane = row.dataset.plotted
    const texts = [
      [mean, timeText],
      [delay, timeText],
      [measured, (value) => sizeText(Math.round(value))],
      [bytes, (value) => sizeText(Math.round(value))],
    ].map(([of, text]) => (of[lane] === undefined ? '–' : text(of[lane])))
    for (const [index, cell] of [...row.querySelectorAll('td')].entries()) cell.textContent = texts[index]
  }
}

function plot(place, dots) {
  const colour = (lane) => () => getComputedStyle(document.documentElement).getPropertyValue(`--lane-${lane}`)
  const quiet = () => getComputedStyle(document.documentElement).getPropertyValue('--quiet')
  const grid = () => getComputedStyle(document.documentElement).getPropertyValue('--line')
  const axis = { stroke: quiet, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
  const value = (_plot, value) => {
    if (value === null || value === undefined) return '–'
    return dots ? timeText(value) : sizeText(Math.round(value))
  }
  const measured = LANES.map((lane) => ({
    label: t(`lane.${lane}.short`),
    value,
    stroke: colour(lane),
    width: 2,
    spanGaps: true,
    ...(dots && { paths: () => null }),
    points: { show: dots, size: 5, fill: colour(lane) },
  }))
  const modelled = LANES.map((lane) => ({
    label: t('plots.theory.of', { lane: t(`lane.${lane}.short`) }),
    value,
    stroke: colour(lane),
    width: 1.5,
    dash: [6, 5],
    points: { show: false },
  }))
  const seconds = { ...axis, values: (_plot, splits) => splits.map((value) => t('plots.ago', { value })) }
  const height = 260
  const uplot = new uPlot(
    {
      width: place.clientWidth || 400,
      height,
      scales: {
        x: { time: false, range: () => [-SPAN, 0] },
        y: dots
          ? { distr: 3, range: (_plot, _min, max) => [0.5, Math.max(100, max * 1.5)] }
          : { range: (_plot, _min, max) => [0, Math.max(100, max * 1.1)] },
      },
      cursor: { drag: { x: false, y: false } },
      axes: [seconds, { ...axis, size: 64, label: t(dots ? 'plots.unit.delay' : 'plots.unit.bytes') }],
      series: [
        {
          label: t('plots.time'),
          value: (_plot, value) => (value == null ? '–' : t('plots.ago', { value: value.toFixed(1) })),
        },
        ...measured,
        ...modelled,
      ],
    },
    [[], ...measured.map(() => []), ...modelled.map(() => [])],
    place,
  )
  const canvas = place.querySelector('canvas')
  canvas.setAttribute('role', 'img')
  canvas.setAttribute('aria-label', place.parentElement.querySelector('figcaption').textContent)
  const observer = new ResizeObserver(() => {
    if (place.clientWidth > 0) uplot.setSize({ width: place.clientWidth, height })
  })
  observer.observe(place)
  return Object.assign(uplot, {
    destroy: ((destroy) => () => {
      observer.disconnect()
      destroy.call(uplot)
    })(uplot.destroy),
  })
}
