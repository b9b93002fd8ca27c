import Fastify, { type FastifyInstance } from 'fastify'
import type { Bus } from 'fastify-tidings'
import { now } from '../clock.ts'
import { indexOf } from '../payload.ts'
import { answer } from './child.ts'
import { usageMeter } from './usage.ts'

/** The server under test: the plugin in an app that has nothing else, and notes when it took each message. */

const accepted = new Map<string, number[]>()
const work = { messages: 0, turn: 0, rows: 0, ahead: 0, writes: 0, handed: 0 }
let app: FastifyInstance | undefined
let meter: ReturnType<typeof usageMeter> | undefined

/** What the server has done so far; times in microseconds. */
export type Work = Readonly<typeof work>

/**
 * Notes when each message is taken, how long its turn goes on before the readers get it, how long it takes to the first
 * one's write, and how long all of them take.
 */
function watch(bus: Bus): void {
  const { groups } = bus.log
  const publish = bus.publish.bind(bus)
  // The class of all views: a row of readers is handed out in parts, where it is long.
  const rows = Object.getPrototypeOf(groups.of(['watch'])) as { flush(this: Row, most: number): number }
  const { flush } = rows
  let taken: number[] = []
  let first: number | undefined

  app!.server.once('connection', (socket) => {
    // Of Node's insides, the class of all TCP handles: some writes go past the streams.
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
    // Where nobody reads: as late as it goes out to many.
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

/** What is looked at of a view. */
interface Row {
  readonly dirty: boolean
  readonly handing: boolean
  readonly size: number
}

const api = {
  /** Listens, so that a round need not wait for it. @param entry the plugin's module, where it is another checkout's */
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

  /** It is being measured from now on: what it took before is forgotten. @returns the port */
  async start(entry?: string): Promise<number> {
    await api.ready(entry)
    accepted.clear()
    meter ??= usageMeter()
    return (app!.server.address() as { port: number }).port
  },

  usage: () => meter!(),

  /** For tests: tells only so much of its CPU. */
  tell(share: number): void {
    const whole = usageMeter()
    meter = () => {
      const usage = whole()
      return { ...usage, cpu: usage.cpu * share }
    }
  },

  work: (): Work => ({ ...work }),

  /** When each message was taken, by channel and number. */
  accepted: () => new Map([...accepted].map(([channel, times]) => [channel, Float64Array.from(times)])),

  /** What it holds when nothing is left to be thrown away. */
  async memory(): Promise<number> {
    const { gc } = globalThis
    gc?.()
    await new Promise((resolve) => setTimeout(resolve, 100))
    gc?.()
    return process.memoryUsage.rss()
  },
}

export type ServerApi = typeof api
answer(api)
