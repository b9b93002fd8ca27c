import { t } from '../i18n.js'
import { make, say } from '../parts.js'
import { EventLog } from './event-log.js'
import { Flood } from './flood.js'

const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']
/** Maximum characters of a text in the log. */
const SHOWN = 120

/** A WebSocket to try out. */
export class FreeSocket {
  /** @type {WebSocket | undefined} */
  #socket
  #from = performance.now()
  #journal = new EventLog('socket-api.journal')
  #flood = new Flood()
  /** While it runs, echoes are counted and not logged. */
  #flooding = false
  #meters = Object.fromEntries(
    ['readyState', 'bufferedAmount', 'protocol'].map((name) => [name, make('dd', {}, '–')]),
  )
  #trouble = make('p', { class: 'bad', role: 'alert' })
  #binaryType = choice('free-binary', ['blob', 'arraybuffer'])

  constructor() {
    const open = button('socket-api.open', 'main')
    open.addEventListener('click', () => this.#open())
    this.#binaryType.addEventListener('change', () => {
      if (this.#socket) this.#socket.binaryType = this.#binaryType.value
    })
    const flood = button('socket-api.flood')
    flood.addEventListener('click', () => this.#try(() => this.#runFlood(flood)))

    this.element = make(
      'div',
      { class: 'free' },
      make(
        'div',
        { class: 'tools' },
        make('div', { class: 'row' }, open, flood),
        make(
          'dl',
          { class: 'meters' },
          ...Object.entries(this.#meters).map(([name, value]) =>
            make('div', {}, make('dt', {}, make('code', {}, name)), value),
          ),
        ),
        this.#textForm(),
        this.#fileForm(),
        this.#hexForm(),
        make(
          'div',
          { class: 'field' },
          make('label', { for: 'free-binary', say: 'socket-api.binary' }),
          this.#binaryType,
        ),
        this.#closeForm(),
        this.#trouble,
      ),
      make('div', { class: 'tools' }, this.#journal.element, this.#flood.element),
    )
    setInterval(() => this.#measure(), 100)
  }

  #textForm() {
    const text = make('input', { id: 'free-text', value: 'hello' })
    return form([field('free-text', 'socket-api.text', text)], 'socket-api.send', () =>
      this.#try((socket) => {
        socket.send(text.value)
        this.#log(`→ ${shown(text.value)}`)
      }),
    )
  }

  #fileForm() {
    const file = make('input', { id: 'free-file', type: 'file' })
    const as = choice('free-as', ['Blob', 'ArrayBuffer'])
    const fields = [field('free-file', 'socket-api.file', file), field('free-as', 'socket-api.as', as)]
    return form(fields, 'socket-api.send', () =>
      this.#try(async (socket) => {
        const blob = file.files[0]
        if (blob === undefined) throw new Error(t('socket-api.nofile'))
        const data = as.value === 'Blob' ? blob : await blob.arrayBuffer()
        socket.send(data)
        this.#log(`→ ${nameOf(data)}`)
      }),
    )
  }

  #hexForm() {
    const hex = make('input', { id: 'free-hex', value: '48 69 00 ff', spellcheck: false })
    return form([field('free-hex', 'socket-api.hex', hex)], 'socket-api.send', () =>
      this.#try((socket) => {
        const digits = hex.value.replace(/\s+/g, '')
        if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) throw new Error(t('socket-api.badhex'))
        const { buffer } = Uint8Array.from(digits.match(/../g), (pair) => Number.parseInt(pair, 16))
        socket.send(buffer)
        this.#log(`→ ${nameOf(buffer)}`)
      }),
    )
  }

  #closeForm() {
    const code = make('input', { id: 'free-code', type: 'number', value: '1000' })
    const reason = make('input', { id: 'free-reason', value: 'enough' })
    const fields = [
      field('free-code', 'socket-api.code', code),
      field('free-reason', 'socket-api.reason', reason),
    ]
    return form(fields, 'socket-api.close', () =>
      this.#try((socket) => socket.close(Number(code.value), reason.value)),
    )
  }

  #open() {
    this.#socket?.close()
    this.#journal.clear()
    this.#trouble.textContent = ''
    this.#from = performance.now()
    const url = new URL('echo', document.baseURI)
    url.protocol = url.protocol.replace('http', 'ws')
    const socket = new WebSocket(url, 'tidings')
    this.#socket = socket
    socket.binaryType = this.#binaryType.value
    // Ignore events of a socket that was replaced.
    const on = (name, tell) =>
      socket.addEventListener(name, async (event) => {
        const text = await tell(event)
        if (socket === this.#socket && text !== undefined) this.#log(text)
        this.#measure()
      })
    on('open', () => 'open')
    on('error', () => 'error')
    on('close', ({ code, reason, wasClean }) => `close ${code} ${reason} (wasClean: ${wasClean})`)
    on('message', async ({ data }) => {
      if (this.#flooding) return undefined
      if (typeof data === 'string') return `← ${shown(data)}`
      const head = new Uint8Array(
        data instanceof Blob ? await data.slice(0, 16).arrayBuffer() : data.slice(0, 16),
      )
      return `← ${nameOf(data)}: ${[...head].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`
    })
    this.#measure()
  }

  async #runFlood(button) {
    const socket = this.#socket
    button.disabled = true
    this.#flooding = true
    this.#log('→ 80 × 250,000')
    await this.#flood.run(socket)
    this.#flooding = false
    button.disabled = false
    this.#log('← 80 × 250,000')
  }

  /** Logs errors by name, because the names are part of the API. */
  async #try(act) {
    this.#trouble.textContent = ''
    delete this.#trouble.dataset.said
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      say(this.#trouble, 'socket-api.closed')
      return
    }
    try {
      await act(this.#socket)
    } catch (error) {
      this.#trouble.textContent = error.name === 'Error' ? error.message : `${error.name}: ${error.message}`
    }
    this.#measure()
  }

  #measure() {
    const socket = this.#socket
    if (socket === undefined) return
    this.#meters.readyState.textContent = `${socket.readyState} ${STATES[socket.readyState]}`
    this.#meters.bufferedAmount.textContent = socket.bufferedAmount.toLocaleString('en')
    this.#meters.protocol.textContent = socket.protocol || '–'
  }

  #log(text) {
    this.#journal.add(text, performance.now() - this.#from)
  }
}

function button(key, name = '') {
  return make('button', { type: 'button', class: name, say: key })
}

function field(id, key, input) {
  return make('div', { class: 'field' }, make('label', { for: id, say: key }), input)
}

function choice(id, values) {
  return make('select', { id }, ...values.map((value) => make('option', { value }, value)))
}

function form(fields, key, submit) {
  const element = make(
    'form',
    { autocomplete: 'off' },
    ...fields,
    make('button', { type: 'submit', say: key }),
  )
  element.addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  return element
}

function shown(text) {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length})` : text
}

function nameOf(data) {
  return data instanceof Blob ? `Blob, ${data.size} bytes` : `ArrayBuffer, ${data.byteLength} bytes`
}
