import { make, say } from '../parts.js'

/**
 * The lines of the program. Each has its text, its action if it has one, the event that highlights it, and its note.
 * `with` marks lines that run together with the previous one.
 *
 * @typedef {{ code: string, run?: (run: Run) => unknown, on?: string, note?: string, with?: true }} Line
 */
const EVENTS = ['open', 'message', 'error', 'close']
const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']

/** @type {Line[]} */
const LINES = [
  {
    code: "const socket = new WebSocket(url, 'tidings')",
    run: (run) => run.open(),
    note: 'socket-api.note.together',
  },
  { code: "socket.onopen = () => log('open', socket.protocol)", on: 'open', with: true },
  { code: "socket.onmessage = ({ data }) => log('message', data)", on: 'message', with: true },
  { code: "socket.onerror = () => log('error')", on: 'error', with: true },
  { code: "socket.onclose = ({ code, reason }) => log('close', code, reason)", on: 'close', with: true },
  { code: "const opened = until('open') // an error rejects it", with: true },
  { code: 'function state() {', note: 'socket-api.note.function' },
  { code: '  switch (socket.readyState) {', with: true },
  { code: "    case WebSocket.CONNECTING: return 'connecting'", on: 'CONNECTING', with: true },
  { code: "    case WebSocket.OPEN: return 'open'", on: 'OPEN', with: true },
  { code: "    case WebSocket.CLOSING: return 'closing'", on: 'CLOSING', with: true },
  { code: "    case WebSocket.CLOSED: return 'closed'", on: 'CLOSED', with: true },
  { code: '  }', with: true },
  { code: '}', with: true },
  { code: 'log(state())', run: (run) => run.state(), note: 'socket-api.note.state' },
  { code: 'await opened', run: (run) => run.opened, note: 'socket-api.note.wait' },
  {
    code: "const answered = until('message')",
    run: (run) => {
      run.answered = run.until('message')
    },
    note: 'socket-api.note.listen',
  },
  { code: "socket.send('hello')", run: (run) => run.socket.send('hello'), note: 'socket-api.note.send' },
  {
    code: 'log(socket.bufferedAmount)',
    run: (run) => run.log(`${run.socket.bufferedAmount}`),
    note: 'socket-api.note.buffered',
    with: true,
  },
  { code: 'await answered', run: (run) => run.answered, note: 'socket-api.note.reply' },
  {
    code: "const ended = until('close')",
    run: (run) => {
      run.ended = run.until('close')
    },
    note: 'socket-api.note.close',
  },
  { code: "socket.close(1000, 'done')", run: (run) => run.socket.close(1000, 'done'), with: true },
  { code: 'log(state())', run: (run) => run.state(), note: 'socket-api.note.closing', with: true },
  { code: 'await ended', run: (run) => run.ended, note: 'socket-api.note.closed' },
  { code: 'log(state())', run: (run) => run.state(), note: 'socket-api.note.end' },
]

/** One run of the program. */
class Run {
  /** @type {WebSocket} */
  socket
  ended
  answered
  opened
  #url
  #light
  #journal
  #from = performance.now()

  constructor(url, journal, light) {
    this.#url = url
    this.#journal = journal
    this.#light = light
  }

  log(...words) {
    this.#journal.add(words.join(' '), performance.now() - this.#from)
  }

  open() {
    const socket = new WebSocket(this.#url, 'tidings')
    this.socket = socket
    const what = {
      open: () => socket.protocol,
      message: ({ data }) => data,
      error: () => '',
      close: ({ code, reason }) => `${code} ${reason}`,
    }
    for (const name of EVENTS) {
      socket[`on${name}`] = (event) => {
        this.log(name, what[name](event))
        this.#light(name)
      }
    }
    this.opened = this.until('open')
  }

  until(name) {
    const promise = new Promise((resolve, reject) => {
      this.socket.addEventListener(name, resolve, { once: true })
      this.socket.addEventListener('error', reject, { once: true })
    })
    // When stepping, wait until the reader requests the step.
    promise.catch(() => {})
    return promise
  }

  state() {
    const state = STATES[this.socket.readyState]
    this.#light(state)
    this.log(state.toLowerCase())
  }

  stop() {
    if (this.socket === undefined) return
    for (const name of EVENTS) this.socket[`on${name}`] = null
    this.socket.close()
  }
}

/** The listing with its buttons and its log. */
export class Listing {
  #at = 0
  /** @type {Run | undefined} */
  #run
  #busy = false
  #lines = LINES.map(({ code }) => make('li', {}, make('code', {}, code)))
  #journal
  #note = make('p', { class: 'hint', role: 'status', say: 'socket-api.note.begin' })
  #step = make('button', { type: 'button', class: 'main', say: 'socket-api.step' })
  #all = make('button', { type: 'button', say: 'socket-api.run' })
  #target

  /** @param {import('./event-log.js').EventLog} journal */
  constructor(journal) {
    this.#journal = journal
    const reset = make('button', { type: 'button', say: 'socket-api.reset' })
    const option = (value, key) => make('option', { value, say: key })
    this.#target = make(
      'select',
      { id: 'socket-target' },
      option('echo', 'socket-api.target.echo'),
      option('poll', 'socket-api.target.refused'),
    )
    this.#step.addEventListener('click', () => this.step())
    this.#all.addEventListener('click', () => this.all())
    for (const [element, event] of [
      [reset, 'click'],
      [this.#target, 'change'],
    ]) {
      element.addEventListener(event, () => this.reset())
    }
    this.element = make(
      'div',
      { class: 'listing-block' },
      make(
        'div',
        { class: 'row' },
        this.#step,
        this.#all,
        reset,
        make('label', { for: 'socket-target', say: 'socket-api.target' }),
        this.#target,
      ),
      this.#note,
      make(
        'div',
        { class: 'listing' },
        make('ol', { label: 'socket-api.listing', tabIndex: 0 }, ...this.#lines),
        journal.element,
      ),
    )
    this.#mark()
  }

  reset() {
    this.#run?.stop()
    this.#run = undefined
    this.#busy = false
    this.#at = 0
    this.#journal.clear()
    for (const line of this.#lines) {
      line.className = ''
      line.querySelector('.count')?.remove()
    }
    say(this.#note, 'socket-api.note.begin')
    this.#mark()
  }

  async all() {
    if (this.#busy) return
    if (this.#at === LINES.length) this.reset()
    while (this.#at < LINES.length && (await this.step()));
  }

  /** Runs one line, and those that belong to it. @returns whether it goes on */
  async step() {
    if (this.#busy || this.#at === LINES.length) return false
    this.#run ??= new Run(this.#url(), this.#journal, (event) => this.#fire(event))
    const run = this.#run
    this.#busy = true
    this.#buttons()
    try {
      do {
        const line = LINES[this.#at]
        if (line.note) say(this.#note, line.note)
        const result = line.run?.(run)
        if (result instanceof Promise) await result
        if (run !== this.#run) return false
        this.#lines[this.#at].classList.add('done')
        this.#at++
      } while (LINES[this.#at]?.with)
    } catch {
      if (run !== this.#run) return false
      say(this.#note, 'socket-api.note.failed')
      this.#at = LINES.length
    }
    this.#busy = false
    this.#mark()
    return true
  }

  #url() {
    const url = new URL(this.#target.value, document.baseURI)
    url.protocol = url.protocol.replace('http', 'ws')
    return url
  }

  /** Returns the line of an event or a state. */
  #fire(event) {
    const line = this.#lines[LINES.findIndex(({ on }) => on === event)]
    const count = line.querySelector('.count') ?? line.appendChild(make('span', { class: 'count' }))
    const times = Number(count.dataset.times ?? 0) + 1
    count.dataset.times = `${times}`
    count.textContent = `← ${times === 1 ? '✓' : `✓ × ${times}`}`
    line.classList.add('fired')
  }

  #mark() {
    for (const [i, line] of this.#lines.entries()) {
      if (i === this.#at) line.setAttribute('aria-current', 'step')
      else line.removeAttribute('aria-current')
    }
    this.#buttons()
  }

  #buttons() {
    this.#step.disabled = this.#busy || this.#at === LINES.length
    this.#all.disabled = this.#busy
  }
}
