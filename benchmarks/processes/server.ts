import Fastify, { type FastifyInstance } from 'fastify'
import { memoryBus, tidings } from '../../index.ts'
import { now } from '../clock.ts'
import { indexOf } from '../payload.ts'
import { answer } from './child.ts'
import { usageMeter } from './usage.ts'

/** The server under test: the plugin in an app that has nothing else, and notes when it took each message. */

const usage = usageMeter()
const accepted = new Map<string, number[]>()
let app: FastifyInstance | undefined

const api = {
  /** @returns the port */
  async start(): Promise<number> {
    const bus = memoryBus()
    const publish = bus.publish.bind(bus)
    bus.publish = (channel, payload, key) => {
      const accepting = publish(channel, payload, key)
      let times = accepted.get(channel)
      if (times === undefined) {
        times = []
        accepted.set(channel, times)
      }
      times[indexOf(payload.json, 1)] = now()
      return accepting
    }
    app = Fastify()
    await app.register(tidings, { bus, publish: true, echo: true })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return (app.server.address() as { port: number }).port
  },

  usage,

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
