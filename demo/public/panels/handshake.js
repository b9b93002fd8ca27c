import { addTexts } from '../i18n.js'
import { dump, make, say } from '../parts.js'
import { digest } from '../sha1.js'
import texts from '../texts/handshake.js'

addTexts(texts)

/** RFC 6455 section 1.3 */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const EXAMPLE = 'sN9cRrP/n9NdMgdcy2VJFQ=='
const KEY = /^[A-Za-z0-9+/]{22}==$/

const CASES = [
  'version-13',
  'version-17',
  'version-8',
  'no-key',
  'malformed-key',
  'foreign-origin',
  'protocol-chat',
  'protocol-tidings',
  'protocol-both',
  'plain-get',
]
const WRONG = ['version', 'location', 'key', 'origin', 'long', 'names', 'buffered']
const STATUS = ['101', '400', '403', '426']

/** @param {HTMLElement} element */
export async function mount(element) {
  const proof = new Proof()
  const said = make('p', { class: 'verdict', role: 'status' })
  const sides = make('div', { class: 'sides' })
  const buttons = CASES.map((name) => {
    const button = make('button', { type: 'button', say: `handshake.case.${name}`, 'aria-pressed': 'false' })
    button.addEventListener('click', async () => {
      await ask(name)
      proof.show()
    })
    return button
  })

  const ask = async (name) => {
    for (const [i, button] of buttons.entries()) button.setAttribute('aria-pressed', `${CASES[i] === name}`)
    let answer
    try {
      const response = await fetch(new URL(`demo/handshake/${name}`, document.baseURI), { method: 'POST' })
      answer = await response.json()
      if (!response.ok) throw new Error(answer.message)
    } catch (error) {
      sides.replaceChildren()
      proof.take()
      say(said, 'handshake.failed', { reason: error.message })
      return
    }
    say(said, `handshake.said.${name}`)
    sides.replaceChildren(side('request', answer.request), side('response', answer.response))
    proof.take({
      key: headerOf(answer.request, 'sec-websocket-key'),
      accept: headerOf(answer.response, 'sec-websocket-accept'),
    })
  }

  element.replaceChildren(
    make('p', { class: 'lead', say: 'handshake.lead' }),
    make('h3', { say: 'handshake.cases', id: 'handshake-cases' }),
    make('div', { class: 'row', role: 'group', 'aria-labelledby': 'handshake-cases' }, ...buttons),
    said,
    sides,
    proof.element,
    make('h3', { say: 'handshake.wrong' }),
    make('ul', { class: 'wrong' }, ...WRONG.map((name) => make('li', { say: `handshake.wrong.${name}` }))),
  )
  await proof.compute()
  await ask('version-13')
}

/** The bytes of one side: each line with its explanation, and a dump. */
function side(kind, { text, base64 }) {
  const end = text.indexOf('\r\n\r\n')
  const [first, ...lines] = (end === -1 ? text : text.slice(0, end)).split('\r\n')
  const body = end === -1 ? '' : text.slice(end + 4)
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  const section = make(
    'section',
    { class: `side ${kind}` },
    make('h3', { say: kind === 'request' ? 'handshake.client' : 'handshake.server' }),
  )
  if (text === '') {
    section.append(make('p', { say: 'handshake.silent' }))
    return section
  }
  const list = make('dl', { class: 'lines' })
  const row = (line, key) => list.append(make('dt', {}, make('code', {}, line)), make('dd', { say: key }))
  row(first, `handshake.line.${kind === 'request' ? 'get' : statusOf(first)}`)
  for (const line of lines) {
    const name = line.toLowerCase() === 'connection: close' ? 'close' : line.split(':', 1)[0].toLowerCase()
    const key = `handshake.${kind}.${name}`
    row(line, key in texts.en ? key : 'handshake.unknown')
  }
  section.append(list)
  if (body !== '') {
    section.append(
      make('p', { class: 'caption', say: 'handshake.body' }),
      make('pre', { class: 'body', tabIndex: 0, label: 'handshake.body' }, pretty(body)),
    )
  }
  const summary = make('summary')
  say(summary, 'handshake.bytes', { count: bytes.length })
  section.append(
    make(
      'details',
      { class: 'dump' },
      summary,
      make('pre', { tabIndex: 0, role: 'region', 'aria-label': 'bytes' }, dump(bytes)),
    ),
  )
  return section
}

function statusOf(line) {
  const status = line.split(' ')[1]
  return STATUS.includes(status) ? status : 'other'
}

function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}

/** @returns {string | undefined} */
function headerOf({ text }, name) {
  const line = text.split('\r\n').find((each) => each.toLowerCase().startsWith(`${name}:`))
  return line?.slice(name.length + 1).trim()
}

/** Computes Sec-WebSocket-Accept from the key, step by step. */
class Proof {
  #input = make('input', {
    id: 'handshake-key',
    value: EXAMPLE,
    maxLength: 200,
    spellcheck: false,
    autocapitalize: 'off',
    autocomplete: 'off',
    'aria-describedby': 'handshake-origin',
  })
  #origin = make('p', { class: 'hint', id: 'handshake-origin', say: 'handshake.origin.example' })
  #joined = make('span', { class: 'from-key' })
  #hashed = make('p', { class: 'caption' })
  #hash = make('output', { class: 'value', id: 'handshake-sha1', htmlFor: 'handshake-key' })
  #accept = make('output', { class: 'value result', id: 'handshake-accept', htmlFor: 'handshake-key' })
  #verdict = make('p', { class: 'hint', role: 'status' })
  /** @type {{ key?: string, accept?: string } | undefined} what went over the wire in the case that is shown */
  #wire
  /** Whether the displayed key belongs to the case. */
  #isLive = false
  #live = make('button', { type: 'button', say: 'handshake.live', disabled: true })
  #turn = 0

  constructor() {
    this.#live.addEventListener('click', () => this.show())
    const example = make('button', { type: 'button', say: 'handshake.example' })
    example.addEventListener('click', () => this.#set(EXAMPLE, 'handshake.origin.example'))
    this.#input.addEventListener('input', () => this.#set(this.#input.value, 'handshake.origin.own'))
    this.element = make(
      'section',
      { class: 'proof', 'aria-labelledby': 'handshake-proof' },
      make('h3', { say: 'handshake.proof', id: 'handshake-proof' }),
      make('p', { say: 'handshake.proof.lead' }),
      make('label', { for: 'handshake-key', say: 'handshake.key' }),
      make('div', { class: 'row key' }, this.#input, this.#live, example),
      this.#origin,
      make(
        'ol',
        { class: 'steps' },
        make(
          'li',
          {},
          make('p', { class: 'caption', say: 'handshake.step.join' }),
          make('output', { class: 'value', id: 'handshake-joined' }, this.#joined, make('b', {}, GUID)),
        ),
        make('li', {}, this.#hashed, this.#hash),
        make('li', {}, make('p', { class: 'caption', say: 'handshake.step.base64' }), this.#accept),
      ),
      this.#verdict,
    )
  }

  /** Shows the bytes of a new case, or nothing if the request failed. */
  take(wire = undefined) {
    this.#wire = wire
    this.#live.disabled = wire?.key === undefined
    // The displayed key belongs to an earlier case, or to none.
    if (this.#isLive) this.show()
  }

  /** Shows the key of the current case, or an example if it has none. */
  show() {
    const { key, accept } = this.#wire ?? {}
    if (key !== undefined) {
      this.#set(key, accept === undefined ? 'handshake.origin.refused' : 'handshake.origin.live', true)
    } else this.#set(EXAMPLE, this.#wire ? 'handshake.origin.none' : 'handshake.origin.example')
  }

  #set(key, origin, isLive = false) {
    this.#isLive = isLive
    if (this.#input.value !== key) this.#input.value = key
    say(this.#origin, origin)
    this.compute()
  }

  async compute() {
    const turn = ++this.#turn
    const key = this.#input.value
    const text = new TextEncoder().encode(key + GUID)
    const { bytes, by } = await digest(text)
    // The input has changed in the meantime.
    if (turn !== this.#turn) return
    this.#joined.textContent = key
    say(this.#hashed, 'handshake.step.hash', { count: text.length, by })
    this.#hash.textContent = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const accept = btoa(String.fromCharCode(...bytes))
    this.#accept.textContent = accept
    const answer = this.#isLive ? this.#wire?.accept : undefined
    if (!KEY.test(key)) say(this.#verdict, this.#isLive ? 'handshake.nokey.refused' : 'handshake.nokey')
    else if (this.#isLive && answer === undefined) say(this.#verdict, 'handshake.noanswer')
    else if (answer === undefined) {
      delete this.#verdict.dataset.said
      this.#verdict.textContent = ''
    } else say(this.#verdict, accept === answer ? 'handshake.equal' : 'handshake.unequal')
  }
}
