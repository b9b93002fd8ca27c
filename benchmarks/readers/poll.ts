import { now } from '../clock.ts'
import { CACHE_BUSTER } from '../model/exchange.ts'
import { deferred, deliverAll, type Reader, ReaderConnection, type ReaderContext } from './reader.ts'
import { closesConnection, type HttpResponse, headerOf, ResponseParser } from './response-parser.ts'

const CURSOR = /^\{"cursor":"([^"]*)"/
const OPEN = '"messages":['
const MORE = '"more":true}'

/**
 * Polls at the interval, or long-polls in a loop, on one connection.
 * @param phase the first polling time as a part of the interval
 */
export function pollReader(
  kind: 'poll' | 'longpoll',
  common: ReaderContext,
  reader: number,
  channel: string,
  phase: number,
): Reader {
  const { interval, pause, wait, tally, cycles } = common
  const { promise: ready, open } = deferred()
  let cursor = ''
  let asks = 0
  let timer: NodeJS.Timeout | undefined
  let seen = 0
  /** The time of the cycle's last request, and the due time of the next one. */
  let asked = Number.NaN
  let due = Number.NaN

  /** Whether a response is outstanding, and the number of responses on this connection. */
  let asking = false
  let answered = 0

  const line = new ReaderConnection(common, {
    data: (part, at) => {
      seen = at
      answers.take(part.toString('latin1'))
    },
    answers: true,
    // A server may close a connection after a response (RFC 9112 section 9.3.1), so send the poll again.
    closed() {
      if (answers.begun || (asking && answered === 0)) return false
      if (asking) reopen()
      return true
    },
  })
  const parser = () =>
    new ResponseParser((answer) => {
      asking = false
      answered++
      // The server ignores requests after the last response of a connection.
      if (closesConnection(answer.head)) line.socket.destroy()
      if (!line.stopped) take(answer)
    })
  let answers = parser()

  const reopen = () => {
    answered = 0
    answers = parser()
    line.open()
    line.request(kind, query())
  }
  const ask = () => {
    asking = true
    if (line.socket.destroyed || !line.socket.writable) reopen()
    else line.request(kind, query())
  }
  const query = () => {
    const place = cursor === '' ? '' : `&cursor=${cursor}${kind === 'longpoll' ? `&wait=${wait}` : ''}`
    // The client's cache buster, with a fixed length.
    return `channel=${channel}${place}&_=0.${String(++asks).padStart(CACHE_BUSTER - 2, '0')}`
  }

  const poll = () => {
    const at = now()
    if (!Number.isNaN(asked)) cycles.push((at - asked) / 1e6)
    asked = at
    ask()
  }

  const take = ({ status, head, body }: HttpResponse) => {
    const first = cursor === ''
    const next = status === 204 ? headerOf(head, 'tidings-cursor') : CURSOR.exec(body)?.[1]
    if ((status !== 200 && status !== 204) || next === undefined) {
      line.fail(`/${kind} returned ${status} ${body.slice(0, 200)}`)
      return
    }
    cursor = next
    const messages = status === 200 ? body.indexOf(OPEN) + OPEN.length : 0
    const count = status === 200 ? deliverAll(common, reader, body, seen) : 0
    if (count > 0) tally.envelopes += body.lastIndexOf('],"more"') - messages - (count - 1)
    else tally.empty++
    if (first) {
      open()
      if (kind === 'longpoll') ask()
      else {
        due = now() + interval * 1e6 * phase
        timer = setTimeout(poll, interval * 1e3 * phase)
      }
    } else if (kind === 'longpoll' || body.endsWith(MORE)) ask()
    else if (pause) timer = setTimeout(poll, interval * 1e3)
    else {
      // Polls run on a grid to keep the rate. A late response shifts the grid.
      due = Math.max(due + interval * 1e6, now())
      timer = setTimeout(poll, (due - now()) / 1e3)
    }
  }
  ask()

  return {
    ready,
    stop() {
      clearTimeout(timer)
      line.stop()
    },
  }
}
