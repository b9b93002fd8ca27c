import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'

/*
 * An independent implementation of the measurement: raw sockets, CPU from /proc/PID/stat, its own message numbers, and
 * latencies from the planned time by performance.now().
 */

export interface Load {
  readonly port: number
  readonly pid: number
  readonly kind: 'poll' | 'longpoll' | 'sse' | 'ws'
  readonly subscribers: number
  readonly channel: string
  /** Messages per second, and their number. */
  readonly rate: number
  readonly messages: number
  readonly payload: number
  /** Seconds between two polls. Polls are measured in a window, of which this much at least lies before. @default 0 */
  readonly interval?: number
}

export interface Found {
  readonly deliveries: number
  /** Requests per delivered message. */
  readonly requests: number
  readonly bytes: number
  /** Requests that return a message, per delivered message. */
  readonly filled: number
  /** Bytes of an exchange of a poll or a long poll without messages, and with messages but excluding them. */
  readonly exchange: { readonly empty: number; readonly filled: number }
  /** Milliseconds from the planned time, for all deliveries, sorted. */
  readonly delays: readonly number[]
  /** Microseconds per delivery. Null: unknown. */
  readonly cpu: number | null
  readonly wrong: readonly string[]
}

/** Returns microseconds in user and kernel mode: fields 14 and 15, in ticks of a hundredth of a second. */
export function cpuOfStat(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10_000
  } catch {
    return undefined
  }
}

const mark = (index: number) => `#${index}.`
const MARK = /#(\d+)\./g

interface One {
  readonly socket: Socket
  requests: number
  filled: number
}

export async function harness(load: Load): Promise<Found> {
  const { port, pid, kind, subscribers, channel, rate, messages, payload, interval = 0 } = load
  const planned: number[] = []
  const delays: number[] = []
  const wrong: string[] = []
  let deliveries = 0
  const exchange = { empty: 0, filled: 0 }
  const polls = kind === 'poll' || kind === 'longpoll'
  const host = `127.0.0.1:${port}`
  const unique = (count: number) => `&_=0.${String(count).padStart(16, '0')}`

  // What arrived in one turn is parsed after all of it was read: parsing would delay the later readers' times.
  let heard: (() => void)[] = []
  const parse = () => {
    const all = heard
    heard = []
    for (const each of all) each()
  }
  const hear = (part: Buffer, take: (part: Buffer, at: number) => void) => {
    const at = performance.now()
    if (heard.length === 0) setImmediate(parse)
    heard.push(() => take(part, at))
  }

  const see = (text: string, next: { index: number }, at: number) => {
    for (const [, digits] of text.matchAll(MARK)) {
      if (Number(digits) !== next.index) wrong.push(`received ${digits}, expected ${next.index}`)
      next.index = Number(digits) + 1
      deliveries++
      delays.push(at - planned[Number(digits)]!)
    }
  }

  const open = (_: unknown, number: number): Promise<One> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      const one: One = { socket, requests: 0, filled: 0 }
      let due = Number.NaN
      const next = { index: 0 }
      let text = ''
      const ask = (cursor: string) => {
        const hold = kind === 'longpoll' ? '&wait=25' : ''
        const query = cursor === '' ? '' : `&cursor=${cursor}${hold}`
        one.requests++
        socket.write(
          `GET /${kind}?channel=${channel}${query}${unique(one.requests)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
        )
      }
      const askLater = (cursor: string) => {
        if (Number.isNaN(due)) due = performance.now() + (interval * 1000 * number) / subscribers
        else due = Math.max(due + interval * 1000, performance.now())
        setTimeout(() => {
          if (!socket.destroyed) ask(cursor)
        }, due - performance.now())
      }
      let requested = 0
      const answer = (at: number) => {
        const end = text.indexOf('\r\n\r\n')
        if (end === -1) return
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0)
        if (text.length < end + 4 + length) return
        const body = text.slice(end + 4)
        const head = text.slice(0, end)
        text = ''
        const request = socket.bytesWritten - requested
        requested = socket.bytesWritten
        const first = one.requests === 1
        const frame = '{"cursor":"","messages":[],"more":false}'.length
        const cursor = body === '' ? /\r\ntidings-cursor: (\S+)/i.exec(head)![1]! : JSON.parse(body).cursor
        if (body === '') exchange.empty = request + end + 4
        else if (!first) {
          one.filled++
          exchange.filled = request + end + 4 + frame + cursor.length
          see(body, next, at)
        }
        if (kind === 'longpoll') ask(cursor)
        else askLater(cursor)
        resolve(one)
      }
      socket.on('error', reject)
      const take = (part: Buffer, at: number) => {
        text += part.toString('latin1')
        if (polls) {
          answer(at)
          return
        }
        // Complete text only: the end of a message is recognizable.
        if (text.includes(kind === 'sse' ? 'event: ready' : '{"type":"ready"')) {
          text = ''
          resolve(one)
          return
        }
        const end = text.lastIndexOf('"}')
        if (end === -1) return
        see(text.slice(0, end), next, at)
        text = text.slice(end)
      }
      socket.on('data', (part) => hear(part, take))
      if (polls) ask('')
      else {
        const upgrade =
          kind === 'sse'
            ? ''
            : 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: tidings\r\n'
        socket.write(`GET /${kind}?channel=${channel}&cursor=now HTTP/1.1\r\nHost: ${host}\r\n${upgrade}\r\n`)
      }
    })

  const all = await Promise.all(Array.from({ length: subscribers }, open))
  const publisher = connect({ port, host: '127.0.0.1', noDelay: true })
  publisher.resume()
  await new Promise((resolve) => publisher.once('connect', resolve))
  const totals = () => {
    parse()
    return {
      deliveries,
      bytes: all.reduce((sum, { socket }) => sum + socket.bytesRead + socket.bytesWritten, 0),
      requests: all.reduce((sum, { requests }) => sum + requests, 0),
      filled: all.reduce((sum, { filled }) => sum + filled, 0),
      cpu: cpuOfStat(pid),
    }
  }
  // A timer alone is late by up to a millisecond.
  const until = async (time: number) => {
    const early = time - performance.now() - 2
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
    while (performance.now() < time) await new Promise((resolve) => setImmediate(resolve))
  }
  // Before the window of a poll, as many messages wait for the next poll as at its end.
  const lead = Math.ceil(rate * interval)
  const start = performance.now() + 50
  let before = totals()
  for (let index = 0; index < lead + messages; index++) {
    planned.push(start + (index * 1000) / rate)
    await until(planned[index]!)
    if (index === lead) before = totals()
    const body = mark(index).padEnd(payload, 'x')
    publisher.write(
      `POST /publish?channel=${channel} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: text/plain\r\nContent-Length: ${payload}\r\n\r\n${body}`,
    )
  }
  let after = before
  if (kind === 'poll') {
    await until(start + ((lead + messages) * 1000) / rate)
    after = totals()
  }
  while (deliveries < (lead + messages) * subscribers && wrong.length === 0) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (kind !== 'poll') {
    // Wait for the last bytes: the end of a stream's chunk, or the next request of a long poll.
    await new Promise((resolve) => setTimeout(resolve, 50))
    after = totals()
  }
  publisher.destroy()
  for (const { socket } of all) socket.destroy()
  const counted = after.deliveries - before.deliveries
  return {
    deliveries: counted,
    requests: (after.requests - before.requests) / counted,
    filled: (after.filled - before.filled) / counted,
    bytes: (after.bytes - before.bytes) / counted,
    exchange,
    delays: delays.sort((a, b) => a - b),
    cpu: before.cpu === undefined || after.cpu === undefined ? null : (after.cpu - before.cpu) / counted,
    wrong,
  }
}
