import Fastify, { type FastifyInstance } from 'fastify'
import type { Bus } from 'fastify-tidings'
import { now } from '../clock.ts'
import { indexOf } from '../payload.ts'
import { serveApi } from './child.ts'
import { type Usage, usage } from './usage.ts'

/** The server under test: an app with this plugin alone. It records when it accepts each message. */

const accepted = new Map<string, number[]>()
const work = { messages: 0, turn: 0, rows: 0, ahead: 0, writes: 0, handed: 0 }
let app: FastifyInstance | undefined
let meter: () => Usage = usage

/** Counters since the start; times in microseconds. */
export type ServerCounters = Readonly<typeof work>

/**
 * Records when the server accepts each message, the time until the fan-out starts, the time until the first write, and
 * the duration of the fan-out.
 */
function watch(bus: Bus): void {
  const { groups } = bus.log
  const publish = bus.publish.bind(bus)
  // The class of all groups. A long row of readers is served in several parts.
  const rows = Object.getPrototypeOf(groups.of(['watch'])) as { flush(this: Row, most: number): number }
  const { flush } = rows
  let taken: number[] = []
  let first: number | undefined

  app!.server.once('connection', (socket) => {
    // The Node-internal class of all TCP handles: some writes bypass the streams.
    const tcp = Object.getPrototypeOf(Reflect.get(socket, '_handle')) as Record<string, unknown>
    for (const name of ['writeBuffer', 'writeLatin1String', 'writeUtf8String', 'writev']) {
      const write = tcp[name] as (...args: unknown[]) => unknown
      tcp[name] = function (this: unknown, ...args: unknown[]) {
        first ??= now()
        return Reflect.apply(write, this, args)
      }
    }
  })

  const begin = (at: number) => {
    for (const time of taken) work.turn += at - time
    work.messages += taken.length
    taken = []
  }
  bus.publish = (channel, payload, key, publisher) => {
    const at = now()
    // Without readers, use the turn in which a fan-out would start.
    if (taken.length === 0) setImmediate(() => setImmediate(() => begin(now())))
    taken.push(at)
    let times = accepted.get(channel)
    if (times === undefined) {
      times = []
      accepted.set(channel, times)
    }
    times[indexOf(payload.json, 1)] = at
    return publish(channel, payload, key, publisher)
  }
  rows.flush = function (most) {
    const at = now()
    begin(at)
    if (this.dirty && !this.handing) work.writes += this.size
    first = undefined
    const effort = Reflect.apply(flush, this, [most])
    const end = now()
    if (first !== undefined) {
      work.rows++
      work.ahead += first - at
    }
    work.handed += end - at
    return effort
  }
}

/** The state of a group that the measurement uses. */
interface Row {
  readonly dirty: boolean
  readonly handing: boolean
  readonly size: number
}

const api = {
  /** Starts listening ahead of a round. @param entry the plugin's module, if from another checkout */
  async ready(entry: string | undefined): Promise<void> {
    if (app !== undefined) return
    const { memoryBus, tidings } = (await import(
      entry ?? 'fastify-tidings'
    )) as typeof import('fastify-tidings')
    const bus = memoryBus()
    app = Fastify()
    watch(bus)
    await app.register(tidings, { bus, publish: true, echo: true })
    await app.listen({ host: '127.0.0.1', port: 0 })
  },

  /** Starts a measurement and clears the accepted times. @returns the port */
  async start(entry?: string): Promise<number> {
    await api.ready(entry)
    accepted.clear()
    return (app!.server.address() as { port: number }).port
  },

  usage: () => meter(),

  /** Fault injection for tests: reports only this share of its CPU. */
  scaleReportedCpu(share: number): void {
    meter = () => {
      const whole = usage()
      return { ...whole, cpu: whole.cpu * share }
    }
  },

  work: (): ServerCounters => ({ ...work }),

  /** Returns when each message was accepted, by channel and number. */
  accepted: () => new Map([...accepted].map(([channel, times]) => [channel, Float64Array.from(times)])),

  /** Returns the resident memory after garbage collection. */
  async memory(): Promise<number> {
    const { gc } = globalThis
    gc?.()
    await new Promise((resolve) => setTimeout(resolve, 100))
    gc?.()
    return process.memoryUsage.rss()
  },
}

export type ServerApi = typeof api
serveApi(api)
