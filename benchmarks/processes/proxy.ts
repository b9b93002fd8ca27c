import { connect, createServer, type Server, type Socket } from 'node:net'
import { now } from '../clock.ts'
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
/** Ways that have something under way, by when it is due: each way's items are in order, all with the same delay. */
const waiting = new Set<Way>()
let lags: number[] = []
let timer: NodeJS.Timeout | undefined
let server: Server

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
    from.on('error', () => this.#put(0, () => to.resetAndDestroy()))
  }

  #put(size: number, act: () => void): void {
    this.#size += size
    if (this.#size > BOUND) this.#from.pause()
    // No overtaking, though the first bytes take longer.
    const at = Math.max(now() + this.#delay(), this.items.at(-1)?.at ?? 0)
    this.items.push({ at, do: act, size })
    waiting.add(this)
    if (timer === undefined) timer = setTimeout(run, (at - now()) / 1000)
  }

  /** Lets out what is due. @returns when the next one is */
  let(time: number): number {
    const { items } = this
    let count = 0
    while (count < items.length && items[count]!.at <= time) {
      const { at, do: act, size } = items[count++]!
      lags.push(time - at)
      act()
      this.#size -= size
    }
    items.splice(0, count)
    if (this.#size <= BOUND) this.#from.resume()
    if (items.length === 0) waiting.delete(this)
    return items[0]?.at ?? Number.POSITIVE_INFINITY
  }
}

function run(): void {
  timer = undefined
  let next = Number.POSITIVE_INFINITY
  for (const way of waiting) next = Math.min(next, way.let(now()))
  if (next === Number.POSITIVE_INFINITY || timer !== undefined) return
  // A timer's grain is a millisecond: it is rounded down, and waits once more where it was early.
  timer = setTimeout(run, Math.max(0, Math.floor((next - now()) / 1000)))
}

const api = {
  /** @param rtt milliseconds that it adds to a round trip @returns the port */
  start({ host, port, rtt }: { host: string; port: number; rtt: number }): Promise<number> {
    const oneWay = (rtt / 2) * 1000
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
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    })
  },

  usage,

  /** By how much it was late since the last look, in microseconds: 99 of 100 times it was no more. */
  lag(): number {
    const sorted = Float64Array.from(lags).sort()
    lags = []
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0
  },
}

export type ProxyApi = typeof api
answer(api)
