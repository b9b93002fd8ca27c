/**
 * Reads one channel over each of the transports. All of them go the same way: from a cursor, which moves with every
 * message, so that whatever is cut off goes on where it stood.
 *
 * @typedef {object} Reader
 * @property {string} channel
 * @property {string | undefined} cursor the place; undefined until the server has given one
 * @property {AbortSignal} signal ends the reading
 * @property {(message: { cursor: string, channel: string, data: unknown, encoding?: string }) => void} message
 * @property {(gap: { reason: string, cursor: string }) => void} gap
 * @property {(cursor: string) => void} place the cursor moved
 * @property {(status: string, bad?: boolean) => void} status
 */

/** Milliseconds between two polls. */
const PERIOD = 1_000
/** Milliseconds between two pings on the socket: what the server answers moves an idle reader's cursor. */
const PING = 20_000
/** Milliseconds after which a transport that failed is tried again: twice as many each time, up to the most. */
const RETRY = { first: 500, most: 10_000 }
/** Close codes of a socket that would get the same answer again. */
const TERMINAL = [1003, 1007, 1008, 1009]

/** @type {Record<string, (reader: Reader) => Promise<void>>} */
export const transports = {
  poll: (reader) => ask(reader, 'poll', PERIOD),
  longpoll: (reader) => ask(reader, 'longpoll', 0),
  sse: stream,
  ws: socket,
}

/** @param {Reader} reader */
async function ask(reader, path, pause) {
  const retry = backoff(reader)
  while (!reader.signal.aborted) {
    try {
      const response = await fetch(urlOf(reader, path), { signal: reader.signal, cache: 'no-store' })
      if (response.status === 410) {
        reader.gap({
          reason: response.headers.get('tidings-gap'),
          cursor: response.headers.get('tidings-cursor'),
        })
      } else if (response.status === 204) {
        reader.place(response.headers.get('tidings-cursor'))
      } else {
        const body = await response.json()
        if (!response.ok) throw new Error(body.message)
        if (reader.signal.aborted) return
        for (const message of body.messages) reader.message(message)
        reader.place(body.cursor)
        if (body.more) continue
      }
      retry.worked()
      reader.status(pause ? `asking every ${pause / 1000} s` : 'waiting for the next message')
      await sleep(pause, reader.signal)
    } catch (error) {
      await retry.wait(error)
    }
  }
}

/** @param {Reader} reader */
async function stream(reader) {
  const retry = backoff(reader)
  while (!reader.signal.aborted) {
    const failed = await new Promise((resolve) => {
      const source = new EventSource(urlOf(reader, 'sse'))
      const end = (reason) => {
        source.close()
        reader.signal.removeEventListener('abort', end)
        resolve(reason)
      }
      reader.signal.addEventListener('abort', end)
      source.addEventListener('ready', ({ data }) => {
        retry.worked()
        reader.status('connected')
        reader.place(JSON.parse(data).cursor)
      })
      source.addEventListener('gap', ({ data }) => reader.gap(JSON.parse(data)))
      source.addEventListener('message', ({ data }) => reader.message(JSON.parse(data)))
      source.addEventListener('error', () => {
        // The browser comes back by itself, with the last event's id, unless it was refused.
        if (source.readyState === EventSource.CLOSED) end(new Error('the stream was refused'))
        else reader.status('cut off, the browser is coming back', true)
      })
    })
    await retry.wait(failed)
  }
}

/** @param {Reader} reader */
async function socket(reader) {
  const retry = backoff(reader)
  while (!reader.signal.aborted) {
    const failed = await new Promise((resolve) => {
      const url = urlOf(reader, 'ws')
      url.protocol = url.protocol.replace('http', 'ws')
      const ws = new WebSocket(url, 'tidings')
      const ping = setInterval(() => {
        if (ws.readyState === WebSocket.OPEN) ws.send('{"type":"ping"}')
      }, PING)
      const abort = () => ws.close(1000)
      reader.signal.addEventListener('abort', abort)
      ws.addEventListener('message', ({ data }) => {
        if (reader.signal.aborted) return
        const frame = JSON.parse(data)
        if (frame.type === undefined) reader.message(frame)
        else if (frame.type === 'gap') reader.gap(frame)
        else if (frame.type === 'ready' || frame.type === 'pong') reader.place(frame.cursor)
        if (frame.type === 'ready') {
          retry.worked()
          reader.status('connected')
        }
      })
      ws.addEventListener('close', ({ code, reason }) => {
        clearInterval(ping)
        reader.signal.removeEventListener('abort', abort)
        resolve(Object.assign(new Error(`closed with ${code} ${reason}`.trim()), { code }))
      })
    })
    if (TERMINAL.includes(failed.code)) {
      reader.status(failed.message, true)
      return
    }
    await retry.wait(failed)
  }
}

/** @param {Reader} reader */
function urlOf({ channel, cursor }, path) {
  const url = new URL(path, document.baseURI)
  url.searchParams.set('channel', channel)
  if (cursor !== undefined) url.searchParams.set('cursor', cursor)
  return url
}

/** Waits longer after each failure, and at random, so that not all clients of a server come back together. */
function backoff(reader) {
  let longest = RETRY.first
  return {
    worked() {
      longest = RETRY.first
    },
    async wait(error) {
      if (reader.signal.aborted) return
      const pause = longest * (0.5 + Math.random() / 2)
      longest = Math.min(2 * longest, RETRY.most)
      reader.status(`${error.message}; trying again`, true)
      await sleep(pause, reader.signal)
    },
  }
}

/** Resolves after so many milliseconds, or when the signal aborts. */
function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end)
  })
}
