import { addTexts, currentLanguage, onLanguage, t } from '../i18n.js'
import { breakEvensOf, rank } from '../lib/benchmarks/model/ranking.js'
import { recommend } from '../lib/benchmarks/model/recommendation.js'
import { BROWSER_HEADERS, DEFAULT_REQUIREMENTS } from '../lib/benchmarks/model/requirements.js'
import { make, say } from '../parts.js'
import { stage } from '../stage.js'
import texts from '../texts/workload.js'

addTexts(texts)

const MONTH = 30 * 24 * 3600

/** The inputs: their ranges, whether the scale is logarithmic (`log`), and the unit. */
const FIELDS = [
  { name: 'rate', least: 0.001, most: 1000, value: DEFAULT_REQUIREMENTS.rate, log: true, unit: 'rate' },
  {
    name: 'subscribers',
    least: 1,
    most: 1e6,
    value: DEFAULT_REQUIREMENTS.subscribers,
    log: true,
    unit: 'count',
    whole: true,
  },
  { name: 'back', least: 0, most: 12, value: DEFAULT_REQUIREMENTS.back, unit: 'rate' },
  {
    name: 'payload',
    least: 1,
    most: 65_536,
    value: DEFAULT_REQUIREMENTS.payload,
    log: true,
    unit: 'bytes',
    whole: true,
  },
  {
    name: 'latency',
    least: 10,
    most: 60_000,
    value: DEFAULT_REQUIREMENTS.latency * 1e3,
    log: true,
    unit: 'milliseconds',
    whole: true,
  },
  {
    name: 'rtt',
    least: 0,
    most: 500,
    value: DEFAULT_REQUIREMENTS.rtt * 1e3,
    unit: 'milliseconds',
    whole: true,
  },
  { name: 'headers', least: 50, most: 4000, value: BROWSER_HEADERS, log: true, unit: 'bytes', whole: true },
  { name: 'tabs', least: 1, most: 120, value: DEFAULT_REQUIREMENTS.tabs, unit: 'count', whole: true },
  {
    name: 'proxyIdle',
    least: 5,
    most: 600,
    value: DEFAULT_REQUIREMENTS.proxyIdle,
    log: true,
    unit: 'seconds',
    whole: true,
  },
]
/** Positions of a slider. */
const STEPS = 240

/** @param {HTMLElement} element */
export function mount(element) {
  const result = make('div', { class: 'advice' })
  const asked = new URLSearchParams(location.search)
  const fields = FIELDS.map((field) => new Field(field, () => show()))
  const http = make(
    'select',
    { id: 'workload-http' },
    ...['1.1', '2'].map((value) => make('option', { value }, value)),
  )
  http.value = DEFAULT_REQUIREMENTS.http
  http.addEventListener('change', () => show())

  const link = make('a', { class: 'link', say: 'workload.link' })
  for (const field of fields) field.set(Number(asked.get(field.name) ?? Number.NaN))
  if (['1.1', '2'].includes(asked.get('http'))) http.value = asked.get('http')

  const show = () => {
    const values = Object.fromEntries(fields.map(({ name, value }) => [name, value]))
    const { headers, latency, rtt, ...others } = values
    const need = { ...others, latency: latency / 1e3, rtt: rtt / 1e3, http: http.value }
    for (const field of fields) field.show()
    link.href = linkOf({ ...values, http: http.value })
    result.replaceChildren(...adviceOf(need, { poll: headers, longpoll: headers }))
  }
  element.replaceChildren(
    make('p', { class: 'lead', say: 'workload.lead' }),
    make(
      'form',
      { class: 'need' },
      ...fields.map(({ element }) => element),
      make('div', { class: 'field' }, make('label', { for: 'workload-http', say: 'workload.http' }), http),
    ),
    result,
    make('p', {}, link),
    make('h3', { say: 'workload.basis' }),
    make(
      'ul',
      { class: 'basis' },
      ...['theory', 'radio', 'bytes'].map((name) => make('li', { say: `workload.basis.${name}` })),
      assumption(),
      ...['memory', 'cpu', 'month'].map((name) => make('li', { say: `workload.basis.${name}` })),
    ),
  )
  onLanguage(show)
  show()
}

/** States the assumed size of the headers, and that of this page's own polls. */
function assumption() {
  const item = make('li')
  const lane = stage.lanes.get('poll')
  let shown
  const show = () => {
    shown = lane?.headers
    const own = shown ? t('workload.basis.own', { own: shown }) : ''
    say(item, 'workload.basis.assumed', { assumed: BROWSER_HEADERS, own })
  }
  lane?.addEventListener('arrow', () => {
    if (lane.headers !== shown) show()
  })
  onLanguage(show)
  show()
  return item
}

/** The address of this page with what is set. @param {Record<string, string | number>} settings */
function linkOf(settings) {
  const url = new URL(location.href)
  for (const [name, value] of Object.entries(settings)) url.searchParams.set(name, `${value}`)
  url.hash = 'workload'
  return url.href
}

/** A slider with its value. */
class Field {
  #field
  #input
  #output

  constructor(field, changed) {
    const { name, value } = field
    this.#field = field
    this.name = name
    const id = `workload-${name}`
    this.#output = make('output', { htmlFor: id })
    this.#input = make('input', { type: 'range', id, min: '0', max: `${STEPS}`, step: 'any' })
    this.set(value)
    this.#input.addEventListener('input', changed)
    // The arrow keys move in whole steps from any position.
    this.#input.addEventListener('keydown', () => {
      this.#input.step = '1'
    })
    this.#input.addEventListener('pointerdown', () => {
      this.#input.step = 'any'
    })
    this.element = make(
      'div',
      { class: 'field' },
      make('div', {}, make('label', { for: id, say: `workload.${name}` }), this.#output),
      this.#input,
    )
  }

  /** @param {number} value what is none is left out */
  set(value) {
    const { least, most, log } = this.#field
    if (!(value >= least && value <= most)) return
    const share = log ? Math.log(value / least) / Math.log(most / least) : (value - least) / (most - least)
    this.#input.value = `${share * STEPS}`
  }

  get value() {
    const { least, most, log, whole } = this.#field
    const share = Number(this.#input.value) / STEPS
    const value = log ? least * (most / least) ** share : least + (most - least) * share
    // A slider resolves two or three digits.
    const rounded = Number(value.toPrecision(value < 1000 ? 3 : 2))
    return whole ? Math.round(rounded) : rounded
  }

  show() {
    const text = unit(this.#field.unit, this.value)
    this.#output.textContent = text
    this.#input.setAttribute('aria-valuetext', text)
  }
}

function adviceOf(need, headers) {
  const { candidates, refused } = rank(need, headers)
  const best = make('p', { class: 'verdict', role: 'status' })
  sayVerdict(best, recommend(candidates), need)
  const parts = [best]
  if (candidates.length > 0) parts.push(table(candidates, need))
  if (refused.length > 0) {
    parts.push(
      make('h3', { say: 'workload.refused' }),
      make('ul', { class: 'refused' }, ...refused.map(refusal)),
    )
  }
  if (candidates.length > 0) parts.push(make('h3', { say: 'workload.turns' }), ...turns(need, headers))
  return parts
}

/** @param {import('../lib/benchmarks/model/recommendation.js').Recommendation | undefined} verdict */
function sayVerdict(place, verdict, need) {
  if (verdict === undefined) {
    say(place, 'workload.none')
    return
  }
  const { best, ties, next } = verdict
  const alone = next === undefined && ties.length === 0
  const bytes = (one) => unit('bytesRate', one.bytes * need.rate)
  const more = next ? t('workload.use.next', { name: nameOf(next), bytes: bytes(next) }) : ''
  say(place, alone ? 'workload.use.only' : 'workload.use', {
    name: nameOf(best),
    costs: bytes(best),
    more,
    p99: unit('milliseconds', best.p99 * 1e3),
    budget: unit('milliseconds', need.latency * 1e3),
    tie: ties.length > 0 ? t('workload.use.tie', { others: ties.map(nameOf).join(t('workload.and')) }) : '',
    cost: costOf(best),
  })
}

/** The cost for a phone and the server. */
function costOf({ radio, memory }) {
  const share = unit('share', radio * 100)
  if (memory === null) return t('workload.use.radio', { radio: share })
  return t('workload.use.memory', { radio: share, memory: unit('megabytes', memory / 1e6) })
}

function table(candidates, need) {
  const columns = ['rank', 'delay', 'bytes', 'egress', 'radio', 'memory', 'binding']
  const most = Math.max(...candidates.map(({ bytes }) => bytes))
  let place = 0
  const rows = candidates.map((one, i) => {
    if (!one.tie) place = i + 1
    const bar = make('div', { class: 'bar' })
    bar.style.width = `${(100 * one.bytes) / most}%`
    const cell = (column, name, ...children) => {
      const td = make('td', { class: name, 'data-name': t(`workload.column.${column}`) }, ...children)
      return td
    }
    const egress = (one.down * need.rate * need.subscribers * MONTH) / 1e9
    return make(
      'tr',
      { 'data-way': one.way },
      make('th', { scope: 'row' }, `${one.tie ? '= ' : ''}${place}. ${nameOf(one)}`),
      cell('delay', 'figure', unit('milliseconds', one.p99 * 1e3)),
      cell('bytes', 'figure', unit('bytesRate', one.bytes * need.rate), bar),
      cell('egress', 'figure', unit('gigabytes', egress)),
      cell('radio', 'figure', unit('share', one.radio * 100)),
      cell('memory', 'figure', one.memory === null ? '–' : unit('megabytes', one.memory / 1e6)),
      cell('binding', '', bindingOf(one.binding)),
    )
  })
  const heads = columns.map((column) => make('th', { scope: 'col', say: `workload.column.${column}` }))
  return make(
    'table',
    { class: 'ranking', label: 'workload.ranking' },
    make('thead', {}, make('tr', {}, ...heads)),
    make('tbody', {}, ...rows),
  )
}

function bindingOf(binding) {
  const key = binding.what === 'second connection' ? 'second' : binding.what
  return t(`workload.binding.${key}`, { ...binding, oneWay: number((binding.oneWay ?? 0) * 1e3) })
}

function refusal({ way, why }) {
  const item = make('li')
  say(item, `workload.refused.${why.what}`, {
    ...why,
    name: way === 'poll' ? t('lane.poll') : t(`workload.way.${way}`),
    budget: number((why.budget ?? 0) * 1e3),
    least: number((why.least ?? 0) * 1e3),
    p99: number((why.p99 ?? 0) * 1e3),
  })
  return item
}

function turns(need, headers) {
  const { above, below } = breakEvensOf(need, headers)
  const line = (key, turn) => {
    const element = make('p')
    // The model searches in steps, so the rate is approximate.
    say(element, key, { rate: number(Number(turn.rate.toPrecision(2))), name: nameOf(turn) })
    return element
  }
  if (above === null && below === null) return [make('p', { say: 'workload.same' })]
  return [
    ...(below ? [line('workload.below', below)] : []),
    ...(above ? [line('workload.above', above)] : []),
  ]
}

/** Returns the name for readers. The model's names are `poll 250 ms`, `longpoll`, `sse` and `ws`. */
function nameOf({ name }) {
  const [way, ...interval] = name.split(' ')
  if (way !== 'poll') return t(`workload.way.${way}`)
  const [value, of] = interval
  return t('workload.way.poll', { interval: unit(of === 'ms' ? 'milliseconds' : 'seconds', Number(value)) })
}

function unit(name, value) {
  return t(`workload.unit.${name}`, { value: number(value) })
}

/** Formats a number with three digits, without an exponent. */
function number(value) {
  return value.toLocaleString(currentLanguage(), { maximumSignificantDigits: value < 1000 ? 3 : 4 })
}
