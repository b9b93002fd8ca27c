import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { now } from '../clock.ts'
import { trimmedMax } from '../statistics.ts'
import { serveApi } from './child.ts'
import { PreciseTimer } from './precise-timer.ts'
import { usage } from './usage.ts'

/**
 * The delay proxy. It forwards bytes, end and reset of a connection after a fixed delay, in order. It models no loss,
 * no bandwidth and no slow start.
 */

/** Bytes in flight, or the end of a connection. */
interface Item {
  readonly at: number
  readonly do: () => void
  readonly size: number
}

/** Maximum bytes in flight. Beyond that, the proxy pauses the sender. */
const BOUND = 1024 * 1024

const alarm = new PreciseTimer()
/** Directions with items in flight. The items of each are ordered by due time. */
const waiting = new Set<Direction>()
/** Microseconds per lag sample. The maximum of a span counts, so one message is one sample. */
const SPAN = 50_000
let lags = new Map<number, number>()
/** The next due time. */
let due = Number.POSITIVE_INFINITY
let server: Server | undefined

/** One direction of one connection. */
class Direction {
  readonly items: Item[] = []
  readonly #from: Socket
  readonly #delay: () => number
  #size = 0

  /** @param delay of the current data in microseconds */
  constructor(from: Socket, to: Socket, delay: () => number) {
    this.#from = from
    this.#delay = delay
    from.on('data', (part) => this.#put(part.length, () => to.write(part)))
    from.on('end', () => this.#put(0, () => to.end()))
    from.on('error', () => this.#put(0, () => (to.writableEnded ? to.destroy() : to.resetAndDestroy())))
  }

  #put(size: number, act: () => void): void {
    this.#size += size
    if (this.#size > BOUND) this.#from.pause()
    // Keep the order, although the first bytes have a longer delay.
    const at = Math.max(now() + this.#delay(), this.items.at(-1)?.at ?? 0)
    this.items.push({ at, do: act, size })
    waiting.add(this)
    wake(at)
  }

  /** Forwards the items that are due. @returns the next due time */
  forward(time: number): number {
    const { items } = this
    let count = 0
    while (count < items.length && items[count]!.at <= time) {
      const { at, do: act, size } = items[count++]!
      const span = Math.floor(at / SPAN)
      lags.set(span, Math.max(time - at, lags.get(span) ?? 0))
      act()
      this.#size -= size
    }
    items.splice(0, count)
    if (this.#size <= BOUND) this.#from.resume()
    if (items.length === 0) waiting.delete(this)
    return items[0]?.at ?? Number.POSITIVE_INFINITY
  }
}

function wake(at: number): void {
  if (at >= due) return
  due = at
  alarm.set(at, run)
}

function run(): void {
  due = Number.POSITIVE_INFINITY
  let next = due
  for (const direction of waiting) next = Math.min(next, direction.forward(now()))
  wake(next)
}

interface Far {
  readonly host: string
  readonly port: number
  /** Milliseconds added to a round trip. */
  readonly rtt: number
}

/** Replaces the previous proxy server. @returns the port */
async function open({ host, port, rtt }: Far): Promise<number> {
  const oneWay = (rtt / 2) * 1000
  server?.close()
  server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ host, port, noDelay: true, allowHalfOpen: true })
    // The client's TCP handshake is with the proxy and has no delay, so the first bytes take an extra round trip.
    let first = true
    new Direction(near, far, () => {
      const delay = first ? oneWay * 3 : oneWay
      first = false
      return delay
    })
    new Direction(far, near, () => oneWay)
  })
  return listen(server)
}

async function listen(own: Server): Promise<number> {
  await once(own.listen(0, '127.0.0.1'), 'listening')
  return (own.address() as AddressInfo).port
}

/** Warms the proxy up until its code is compiled. A cold proxy is late. */
async function practise(): Promise<void> {
  const echo = createServer((socket) => socket.pipe(socket))
  const port = await open({ host: '127.0.0.1', port: await listen(echo), rtt: 1 })
  await Promise.all(
    Array.from({ length: 25 }, async () => {
      const socket = connect(port, '127.0.0.1')
      for (let i = 0; i < 300; i++) {
        socket.write('practice')
        await once(socket, 'data')
      }
      socket.destroy()
    }),
  )
  echo.close()
}

let practised: Promise<void> | undefined

const api = {
  /** @returns the port */
  async start(far: Far): Promise<number> {
    practised ??= practise()
    await practised
    return open(far)
  },

  usage,

  /** Returns the lag since the last call in microseconds, excluding the worst hundredth, or at least one sample. */
  lag(): number {
    const sorted = [...lags.values()].sort((a, b) => a - b)
    lags = new Map()
    return trimmedMax(sorted)
  },
}

export type ProxyApi = typeof api
serveApi(api)
