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
  readonly kind: 'longpoll' | 'sse' | 'ws'
  readonly subscribers: number
  readonly channel: string
  /** Messages per second, and their number. */
  readonly rate: number
  readonly messages: number
  readonly payload: number
}

export interface Found {
  readonly deliveries: number
  /** Requests per delivered message. */
  readonly requests: number
  readonly bytes: number
  /** Bytes of one exchange of a long poll, excluding its message. An additional request adds this much. */
  readonly exchange: number
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
  /** Bytes received beside messages. */
  exchange: number
}

export async function harness(load: Load): Promise<Found> {
  const { port, pid, kind, subscribers, channel, rate, messages, payload } = load
  const planned: number[] = []
  const delays: number[] = []
  const wrong: string[] = []
  let deliveries = 0
  let exchange = 0
  const host = `127.0.0.1:${port}`
  const unique = (count: number) => `&_=0.${String(count).padStart(16, '0')}`

  const see = (text: string, next: { index: number }) => {
    for (const [, digits] of text.matchAll(MARK)) {
      if (Number(digits) !== next.index) wrong.push(`received ${digits}, expected ${next.index}`)
      next.index = Number(digits) + 1
      deliveries++
      delays.push(performance.now() - planned[Number(digits)]!)
    }
  }

  const open = (): Promise<One> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      const one: One = { socket, requests: 0, exchange: 0 }
      const next = { index: 0 }
      let text = ''
      const ask = (cursor: string) => {
        const query = cursor === '' ? '' : `&cursor=${cursor}&wait=25`
        one.requests++
        socket.write(
          `GET /longpoll?channel=${channel}${query}${unique(one.requests)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
        )
      }
      const answer = () => {
        const end = text.indexOf('\r\n\r\n')
        const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1]
        if (end === -1 || length === undefined || text.length < end + 4 + Number(length)) return
        const body = text.slice(end + 4)
        const requested = socket.bytesWritten
        exchange = end + 4 + '{"cursor":"","messages":[],"more":false}'.length
        text = ''
        see(body, next)
        ask(JSON.parse(body).cursor)
        exchange += socket.bytesWritten + socket.writableLength - requested
        resolve(one)
      }
      socket.on('error', reject)
      socket.on('data', (part) => {
        text += part.toString('latin1')
        if (kind === 'longpoll') {
          answer()
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
        see(text.slice(0, end), next)
        text = text.slice(end)
      })
      if (kind === 'longpoll') ask('')
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
  const totals = () => ({
    bytes: all.reduce((sum, { socket }) => sum + socket.bytesRead + socket.bytesWritten, 0),
    requests: all.reduce((sum, { requests }) => sum + requests, 0),
    cpu: cpuOfStat(pid),
  })
  const before = totals()
  const start = performance.now() + 50
  for (let index = 0; index < messages; index++) {
    planned.push(start + (index * 1000) / rate)
    const wait = planned[index]! - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    const body = mark(index).padEnd(payload, 'x')
    publisher.write(
      `POST /publish?channel=${channel} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: text/plain\r\nContent-Length: ${payload}\r\n\r\n${body}`,
    )
  }
  while (deliveries < messages * subscribers && wrong.length === 0) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  // Wait for the last bytes: the end of a stream's chunk, or the next request of a long poll.
  await new Promise((resolve) => setTimeout(resolve, 50))
  const after = totals()
  publisher.destroy()
  for (const { socket } of all) socket.destroy()
  return {
    deliveries,
    requests: (after.requests - before.requests) / deliveries,
    bytes: (after.bytes - before.bytes) / deliveries,
    exchange,
    delays: delays.sort((a, b) => a - b),
    cpu: before.cpu === undefined || after.cpu === undefined ? null : (after.cpu - before.cpu) / deliveries,
    wrong,
  }
}
