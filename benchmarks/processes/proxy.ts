import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { now } from '../clock.ts'
import { withoutWorst } from '../statistics.ts'
import { Alarm } from './alarm.ts'
import { answer } from './child.ts'
import { usageMeter } from './usage.ts'

/**
 * A way of some length: what comes in at one end goes out at the other after a fixed time, in order, the end and the
 * reset of a connection included. It models no loss, no bandwidth and no slow start.
 */

/** What waits on a way: bytes, or what ends it. */
interface Item {
  readonly at: number
  readonly do: () => void
  readonly size: number
}

/** Bytes on a way, past which its sender is read no further. */
const BOUND = 1024 * 1024

const usage = usageMeter()
const alarm = new Alarm()
/** Ways that have something under way, by when it is due: each way's items are in order, all with the same delay. */
const waiting = new Set<Way>()
/** By how much it was late at most, in each span of so many microseconds: what one message brings is one sample. */
const SPAN = 50_000
let lags = new Map<number, number>()
/** When the next one is due. */
let due = Number.POSITIVE_INFINITY
let server: Server | undefined

/** One direction of one connection. */
class Way {
  readonly items: Item[] = []
  readonly #from: Socket
  readonly #delay: () => number
  #size = 0

  /** @param delay of what comes in now, in microseconds */
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
    // No overtaking, though the first bytes take longer.
    const at = Math.max(now() + this.#delay(), this.items.at(-1)?.at ?? 0)
    this.items.push({ at, do: act, size })
    waiting.add(this)
    wake(at)
  }

  /** Lets out what is due. @returns when the next one is */
  let(time: number): number {
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
  for (const way of waiting) next = Math.min(next, way.let(now()))
  wake(next)
}

interface Far {
  readonly host: string
  readonly port: number
  /** Milliseconds that it adds to a round trip. */
  readonly rtt: number
}

/** Opens a way in place of the last one. @returns the port */
async function open({ host, port, rtt }: Far): Promise<number> {
  const oneWay = (rtt / 2) * 1000
  server?.close()
  server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ host, port, noDelay: true, allowHalfOpen: true })
    // The handshake that the client has had for nothing: one round trip more for what comes first.
    let first = true
    new Way(near, far, () => {
      const delay = first ? oneWay * 3 : oneWay
      first = false
      return delay
    })
    new Way(far, near, () => oneWay)
  })
  return listen(server)
}

async function listen(own: Server): Promise<number> {
  await once(own.listen(0, '127.0.0.1'), 'listening')
  return (own.address() as AddressInfo).port
}

/** Code that has run often is compiled: a proxy that is new is late. */
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

  /** By how much it was late since the last look, in microseconds, without the worst hundredth, one at least. */
  lag(): number {
    const sorted = [...lags.values()].sort((a, b) => a - b)
    lags = new Map()
    return withoutWorst(sorted)
  },
}

export type ProxyApi = typeof api
answer(api)
