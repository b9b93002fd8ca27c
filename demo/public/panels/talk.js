import { sizeText, timeText } from '../bytes.js'
import { addTexts, onLanguage, t } from '../i18n.js'
import { make } from '../parts.js'
import { stage } from '../stage.js'
import texts from '../texts/talk.js'

addTexts(texts)

/** The program in the README. A test runs it. */
export const SERVER = `import Fastify from 'fastify'
import tidings from 'fastify-tidings'

const app = Fastify()
await app.register(tidings, { prefix: '/live' })
app.get('/', (_request, reply) => reply.type('text/html').send(\`<!doctype html>
  <h1></h1>
  <script>
    const feed = new EventSource('/live/sse?channel=clock')
    feed.onmessage = ({ data }) => {
      document.querySelector('h1').textContent = JSON.parse(data).data
    }
  </script>\`))
setInterval(() => app.tidings.publish('clock', new Date().toISOString()), 1000)
await app.listen({ port: 3000 })
`

/** The lanes with server push. */
const LANES = ['sse', 'ws']

/** @param {HTMLElement} element */
export function mount(element) {
  const input = make('input', { id: 'talk-text', required: true, maxLength: 200, value: t('talk.example') })
  const outcome = make('p', { role: 'status' })
  const form = make(
    'form',
    { class: 'talk' },
    make('label', { for: 'talk-text', say: 'talk.label' }),
    input,
    make('button', { type: 'submit', say: 'talk.send' }),
  )
  const lanes = LANES.flatMap((name) => stage.lanes.get(name) ?? [])
  const accounts = lanes.map((lane) => new Account(lane))
  const columns = ['lane', 'how', 'requests', 'up', 'down', 'took']
  const table = make(
    'table',
    // It scrolls on a narrow screen, so the keyboard must reach it.
    { class: 'compared', label: 'talk.title', tabIndex: 0 },
    make(
      'thead',
      {},
      make('tr', {}, ...columns.map((name) => make('th', { scope: 'col', say: `talk.${name}` }))),
    ),
    make('tbody', {}, ...accounts.map(({ row }) => row)),
  )
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    outcome.textContent = ''
    try {
      await Promise.all(accounts.map((account) => account.say(input.value)))
    } catch (error) {
      outcome.textContent = t('publish.failed', { reason: error.message })
    }
  })
  const code = make('pre', { tabIndex: 0 }, make('code', {}, SERVER))
  const copy = make('button', { type: 'button', say: 'talk.copy' })
  const copied = make('p', { class: 'hint', role: 'status' })
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(SERVER)
      copied.textContent = t('talk.copied')
    } catch {
      // If the browser refuses, select the text, so that the reader can copy it.
      getSelection().selectAllChildren(code)
      copied.textContent = t('talk.selected')
    }
  })
  element.replaceChildren(
    make('p', { class: 'lead', say: 'talk.lead' }),
    ...(stage.offers.demo && stage.offers.publish ? [form, outcome, table] : []),
    make('p', { say: 'talk.sense' }),
    make('h3', { say: 'talk.server' }),
    code,
    make('div', { class: 'row' }, copy, copied),
  )
  onLanguage(() => {
    for (const account of accounts) account.show()
  })
}

/** The cost of sending a message over one lane. */
class Account {
  #lane
  #cells = ['requests', 'up', 'down', 'took'].map((name) => {
    const cell = make('td', {}, '–')
    cell.dataset.talk = name
    return cell
  })
  #sum
  /** Connection and exchange of the pending request. */
  #asked

  /** @param {import('../lane.js').Lane} lane */
  constructor(lane) {
    this.#lane = lane
    const { transport } = lane
    this.row = make(
      'tr',
      {},
      make('th', { scope: 'row', say: `lane.${transport}` }),
      make('td', { say: `talk.how.${transport}` }),
      ...this.#cells,
    )
    this.row.dataset.plotted = transport
    lane.addEventListener('arrow', ({ arrow }) => this.#hear(arrow))
  }

  /** @param {string} text */
  async say(text) {
    this.#sum = { requests: 0, up: 0, down: 0, from: 0, to: 0 }
    this.#asked = undefined
    await this.#lane.speak(text)
  }

  #hear({ direction, act, kind, connection, exchange, size, at, delay = 0 }) {
    const sum = this.#sum
    if (!sum) return
    if (direction === 'up' && act === 'publish') {
      this.#asked = { connection, exchange: kind === 'frame' ? undefined : exchange }
      if (kind !== 'frame') sum.requests++
      sum.up += size
      sum.from = at
    } else if (direction === 'down' && this.#asked?.connection === connection) {
      if (kind === 'frame' ? act !== 'published' : exchange !== this.#asked.exchange) return
      sum.down += size
      sum.to = at + delay
      this.#asked = undefined
      this.show()
    }
  }

  show() {
    const { requests, up, down, from, to } = this.#sum ?? {}
    if (!to) return
    const texts = [`${requests}`, sizeText(up), sizeText(down), timeText(to - from)]
    for (const [i, cell] of this.#cells.entries()) cell.textContent = texts[i]
  }
}
