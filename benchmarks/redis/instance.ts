import { setTimeout as wait } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import tidings, { memoryBus } from 'fastify-tidings'
import { redisBus } from 'fastify-tidings/redis'
import { WebSocket } from 'ws'
import { serveApi } from '../processes/child.ts'

/*
 * One instance of an app in its own process. It publishes, follows and serves on request, or runs many clients.
 */

export interface InstanceOptions {
  /** The URL of a Redis server. Without it, the instance uses the in-memory bus. */
  readonly url?: string
  readonly prefix?: string
  /** Instances in this process, each with its own connections. @default 1 */
  readonly count?: number
}

export interface Usage {
  readonly cpuMs: number
  /** The log's head. */
  readonly head: number
  /** Messages that the log keeps. */
  readonly messages: number
  /** Bytes after garbage collection. */
  readonly heap: number
}

let apps: FastifyInstance[] = []
const sockets: WebSocket[] = []
let received = 0

async function open({ url, prefix, count = 1 }: InstanceOptions): Promise<number> {
  const began = performance.now()
  apps = await Promise.all(
    Array.from({ length: count }, async () => {
      const app = Fastify() as FastifyInstance
      const bus = url === undefined ? memoryBus() : redisBus({ url, ...(prefix && { prefix }) })
      await app.register(tidings, { bus, publish: true })
      await app.ready()
      return app
    }),
  )
  return performance.now() - began
}

const texts = (bytes: number) => 'x'.repeat(bytes)

/** Publishes in a closed loop with `outstanding` concurrent publishes. @returns messages per second */
async function publish(job: {
  ms: number
  outstanding: number
  bytes: number
  channels: number
}): Promise<number> {
  const [app] = apps
  const text = texts(job.bytes)
  const end = performance.now() + job.ms
  const began = performance.now()
  let count = 0
  const lane = async (i: number) => {
    while (performance.now() < end) {
      await app!.tidings.publish(`c${(count + i) % job.channels}`, text)
      count++
    }
  }
  await Promise.all(Array.from({ length: job.outstanding }, (_, i) => lane(i)))
  return (count / (performance.now() - began)) * 1000
}

/** Publishes `count` messages, spread evenly over the channels. */
async function fill(job: { count: number; bytes: number; channels: number }): Promise<void> {
  const [app] = apps
  const text = texts(job.bytes)
  for (let i = 0; i < job.count; ) {
    const batch = Math.min(1000, job.count - i)
    await Promise.all(
      Array.from({ length: batch }, () => app!.tidings.publish(`c${i++ % job.channels}`, text)),
    )
  }
}

/** Publishes in bursts at planned times. */
async function burst(job: { rate: number; every: number; ms: number; bytes: number }): Promise<number> {
  const [app] = apps
  const text = texts(job.bytes)
  const began = performance.now()
  const all: Promise<unknown>[] = []
  for (let at = job.every; at <= job.ms; at += job.every) {
    await wait(Math.max(0, began + at - performance.now()))
    const due = Math.floor((at / 1000) * job.rate)
    while (all.length < due) all.push(app!.tidings.publish('c0', text))
  }
  await Promise.all(all)
  return all.length
}

/** Measures milliseconds from the publish call to a subscriber loop, for each message. */
async function delays(job: { rate: number; count: number; bytes: number }): Promise<number[]> {
  const [app] = apps
  const text = texts(job.bytes)
  const abort = new AbortController()
  const came: number[] = []
  const called: number[] = []
  const warm = 20
  const loop = (async () => {
    for await (const _ of app!.tidings.subscribe('delays', { signal: abort.signal })) {
      came.push(performance.now())
      if (came.length === job.count + warm) return
    }
  })()
  const began = performance.now()
  for (let i = 0; i < job.count + warm; i++) {
    // A random time within each period: a fixed beat would coincide with periodic work elsewhere.
    await wait(Math.max(0, began + ((i + Math.random()) * 1000) / job.rate - performance.now()))
    called.push(performance.now())
    app!.tidings.publish('delays', text).catch(() => {})
  }
  await loop
  abort.abort()
  return came.map((at, i) => at - called[i]!).slice(warm)
}

async function listen(): Promise<string> {
  return apps[0]!.listen({ host: '127.0.0.1', port: 0 })
}

async function connect({ url, count }: { url: string; count: number }): Promise<void> {
  received = 0
  await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws?channel=c0`, {
            perMessageDeflate: false,
          })
          sockets.push(socket)
          socket.once('message', () => {
            resolve()
            socket.on('message', () => received++)
          })
          socket.once('error', reject)
        }),
    ),
  )
}

async function close(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.terminate()
  for (const app of apps.splice(0)) await app.close()
}

function usage({ collect = false } = {}): Usage {
  if (collect) globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  return {
    cpuMs: (user + system) / 1000,
    head: apps[0]?.tidings.bus.log.head ?? 0,
    messages: apps[0]?.tidings.bus.log.kept.messages ?? 0,
    heap: process.memoryUsage().heapUsed,
  }
}

const api = { open, publish, fill, burst, delays, listen, connect, close, usage, received: () => received }
export type InstanceApi = typeof api
serveApi(api)
