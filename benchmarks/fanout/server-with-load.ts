import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LoadOptions, Window, WindowCounts } from './load.ts'
import { median } from './median.ts'
import type { TransportName } from './server.ts'

/** The result of one window for one implementation. */
export interface Result {
  deliveriesPerSecond: number
  /** CPU time of the server in microseconds per delivery. */
  cpuPerDelivery: number
  /** Latency in microseconds: from the trigger in a closed loop, from the planned time in an open loop. */
  p50: number
  p99: number
  /** Utilization of the server and of the load, from 0 to 1. */
  serverBusy: number
  loadBusy: number
  published: number
}

/** Combines slices of equal length. Takes the median of each figure, so a disturbance affects one slice only. */
export function combineSlices(windows: readonly Result[]): Result {
  const of = (figure: (one: Result) => number) => median(windows.map(figure))
  const { p50, p99 } = windows.at(-1)!
  return {
    deliveriesPerSecond: of((one) => one.deliveriesPerSecond),
    cpuPerDelivery: of((one) => one.cpuPerDelivery),
    // The last slice contains the latencies of all.
    p50,
    p99,
    serverBusy: of((one) => one.serverBusy),
    loadBusy: of((one) => one.loadBusy),
    published: windows.reduce((sum, { published }) => sum + published, 0),
  }
}

export type ImplementationName = 'ours' | 'plain' | 'reference' | Baseline

/** The implementations of long polling to compare with. */
export type Baseline = 'raw' | 'http' | 'fastify' | 'stats' | 'start' | 'nchan'

const pinned = spawnSync('taskset', ['--version']).status === 0

/** Runs the compiled code, as users do: a TypeScript loader would distort the figures. */
function start(name: string, args: string[], core: number): ChildProcess {
  const node = [
    process.execPath,
    '--expose-gc',
    fileURLToPath(new URL(`./${name}.js`, import.meta.url)),
    ...args,
  ]
  const command = pinned ? ['taskset', '-c', String(core), ...node] : node
  return spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const settled = new AbortController()
  const { signal } = settled
  const gone = async () => {
    const [code] = await once(child, 'exit', { signal })
    throw new Error(`A child process exited with ${code}`)
  }
  try {
    return (await Promise.race([once(child, 'message', { signal }), gone()]))[0]
  } finally {
    settled.abort()
  }
}

interface Usage {
  cpu: number
  memory: number
  rss: number
  at: number
}

/** A server and its load, each on its own core. */
export class ServerWithLoad {
  readonly #server: ChildProcess
  readonly #load: ChildProcess

  private constructor(server: ChildProcess, load: ChildProcess) {
    this.#server = server
    this.#load = load
  }

  static async start(
    kind: ImplementationName,
    transport: TransportName,
    readers: number,
    { payload = 128, channels = 1, fill = 0 }: { payload?: number; channels?: number; fill?: number } = {},
  ): Promise<ServerWithLoad> {
    const server = start('server', [kind, transport, String(payload), String(channels)], 0)
    const { port, control } = await answer<{ port: number; control: number }>(server)
    const options: LoadOptions = { transport, server: kind, port, control, readers, channels, fill }
    const load = start('load', [JSON.stringify(options)], 1)
    await answer(load)
    return new ServerWithLoad(server, load)
  }

  /** Returns CPU and memory of the server. `memory` runs the garbage collector first. */
  async usage(wish: 'usage' | 'memory' = 'usage'): Promise<Usage> {
    this.#server.send(wish)
    return answer(this.#server)
  }

  async run(window: Window): Promise<Result> {
    const before = await this.usage()
    this.#load.send(window)
    const counted = await answer<WindowCounts>(this.#load)
    const after = await this.usage()
    const cpu = after.cpu - before.cpu
    return {
      deliveriesPerSecond: counted.deliveries / (counted.elapsed / 1e6),
      cpuPerDelivery: cpu / counted.deliveries,
      p50: counted.p50,
      p99: counted.p99,
      serverBusy: cpu / (after.at - before.at),
      loadBusy: counted.cpu / counted.elapsed,
      published: counted.published,
    }
  }

  async stop(): Promise<void> {
    for (const child of [this.#load, this.#server]) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const gone = once(child, 'exit')
      if (child.connected) child.disconnect()
      await gone
    }
  }
}
