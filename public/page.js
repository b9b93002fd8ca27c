import { transports } from './transports.js'

/** Messages that a log shows. */
const MOST = 200

const form = document.querySelector('#publish')
const outcome = document.querySelector('#outcome')
const latest = document.querySelector('#latest')

/** What arrives over one transport, as it is shown. */
class Log {
  #follow
  #status
  #cursor
  #list
  #place
  #ended = new AbortController()

  constructor(article) {
    this.#follow = transports[article.dataset.transport]
    article.append(document.querySelector('#log').content.cloneNode(true))
    this.#status = article.querySelector('.status')
    this.#cursor = article.querySelector('.cursor')
    this.#list = article.querySelector('ol')
    this.#list.setAttribute('aria-labelledby', article.getAttribute('aria-labelledby'))
  }

  /** Reads on from where it stands. */
  start(channel) {
    this.stop()
    this.#ended = new AbortController()
    const { signal } = this.#ended
    const reader = {
      channel,
      signal,
      cursor: this.#place,
      place: (cursor) => {
        reader.cursor = cursor
        this.#place = cursor
        this.#cursor.textContent = cursor
      },
      message: (message) => {
        reader.place(message.cursor)
        this.#add(message.cursor, textOf(message), message.time)
        announce(message)
      },
      gap: ({ reason, cursor }) => {
        reader.place(cursor)
        this.#add(cursor, `Some messages are missing (${reason})`).classList.add('bad')
      },
      status: (text, bad = false) => {
        // Said only when it changes: a poll is answered each second.
        if (this.#status.textContent !== text) this.#status.textContent = text
        this.#status.classList.toggle('bad', bad)
      },
    }
    this.#follow(reader)
  }

  stop() {
    this.#ended.abort()
  }

  /** Begins anew, with what comes next. */
  clear() {
    this.#place = undefined
    this.#cursor.textContent = 'none'
    this.#list.replaceChildren()
  }

  #add(cursor, text, time) {
    const list = this.#list
    const followed = list.scrollTop + list.clientHeight >= list.scrollHeight - 8
    const item = document.createElement('li')
    item.append(text)
    const place = document.createElement('span')
    place.className = 'place'
    place.textContent = time === undefined ? cursor : `${clock(time)} ${cursor}`
    item.append(place)
    list.append(item)
    while (list.childElementCount > MOST) list.firstElementChild.remove()
    if (followed) list.scrollTop = list.scrollHeight
    return item
  }
}

function clock(time) {
  const units = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 }
  return new Date(time).toLocaleTimeString([], { ...units, hourCycle: 'h23' })
}

function textOf({ data, encoding }) {
  if (encoding === 'base64') return `bytes: ${data}`
  return typeof data === 'string' ? data : JSON.stringify(data)
}

let announced = { epoch: '', seq: 0 }

/** Four logs get each message: it is said once, by whichever is first. */
function announce(message) {
  const [epoch, seq] = message.cursor.split('.')
  if (epoch === announced.epoch && Number(seq) <= announced.seq) return
  announced = { epoch, seq: Number(seq) }
  latest.textContent = `Latest: ${textOf(message)}`
}

const logs = [...document.querySelectorAll('[data-transport]')].map((article) => new Log(article))

function startAll() {
  for (const log of logs) log.start(form.channel.value)
}

form.channel.addEventListener('change', () => {
  if (!form.channel.checkValidity()) return
  latest.textContent = 'Nothing yet.'
  for (const log of logs) log.clear()
  startAll()
})

// A browser opens six connections to a server over HTTP/1.1, for all of its tabs: one that nobody looks at leaves
// them to the others. It goes on from its cursors when it is looked at again.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') startAll()
  else for (const log of logs) log.stop()
})

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const url = new URL('publish', document.baseURI)
  url.searchParams.set('channel', form.channel.value)
  let said
  try {
    const response = await fetch(url, { method: 'POST', body: form.text.value })
    const answer = await response.json()
    if (!response.ok) throw new Error(answer.message)
    said = `Published as ${answer.cursor}`
    outcome.classList.remove('bad')
    form.text.value = ''
  } catch (error) {
    said = `Not published: ${error.message}`
    outcome.classList.add('bad')
  }
  outcome.textContent = said
  form.text.focus()
})

startAll()
