import { entryOf } from './checkout.ts'
import { pidOf, pin, slabBytes } from './machine.ts'
import type { RoundPlan, Variant, Workload } from './plan.ts'
import type { AdapterServerApi } from './processes/adapter-server.ts'
import { type Api, Child, type ProcessName } from './processes/child.ts'
import type { LoadApi } from './processes/load.ts'
import type { ProxyApi } from './processes/proxy.ts'
import type { PublisherApi } from './processes/publisher.ts'
import type { ServerApi } from './processes/server.ts'
import type { Endpoint, Transport } from './readers/reader.ts'
import { endpointOf, type FaultInjection, type RawRound, runRound } from './round.ts'
import { type ServerWarmup, warmUpServer } from './server-warmup.ts'

interface Stoppable {
  stop(): Promise<void>
}

export interface TestbedOptions {
  /** A running app to measure. */
  readonly url?: URL | undefined
  readonly target?: string | undefined
  readonly faultInjection?: FaultInjection | undefined
  /** Whether the machine runs nothing else. */
  readonly dedicatedMachine?: boolean
  /** Requests or deliveries that warm a server up before its first round. */
  readonly heat?: number
}

/** The server of a variant, warmed up. */
interface WarmServer {
  readonly generation: number
  /** The server of this package. Otherwise, `other` starts the server, and the process `pid` does the work. */
  readonly server: Child<ServerApi> | undefined
  readonly other: Child<AdapterServerApi> | undefined
  readonly pid: number | undefined
  readonly target: Endpoint
}

/** The processes of a run. They persist across rounds, with one server per variant. */
export class Testbed {
  /** The warm-up of each server, in order. */
  readonly heatings: ServerWarmup[] = []
  readonly #options: TestbedOptions
  readonly #children = new Set<Stoppable>()
  readonly #load: Child<LoadApi>
  readonly #publisher: Child<PublisherApi>
  #proxy: Child<ProxyApi> | undefined
  readonly #servers = new Map<string, WarmServer>()
  #ended = false

  constructor(options: TestbedOptions = {}) {
    this.#options = options
    this.#load = this.#child<LoadApi>('load')
    this.#publisher = this.#child<PublisherApi>('publisher')
  }

  #child<A extends Api>(name: ProcessName): Child<A> {
    if (this.#ended) throw new Error('Interrupted')
    const child = new Child<A>(name)
    this.#children.add(child)
    return child
  }

  async #stop(child: Stoppable | undefined): Promise<void> {
    if (child === undefined) return
    await child.stop()
    this.#children.delete(child)
  }

  /** Stops all processes. Pending operations fail. */
  async end(): Promise<void> {
    this.#ended = true
    await Promise.all([...this.#children].map((child) => child.stop()))
  }

  /** Starts a new server. */
  async #server(checkout?: string): Promise<{ server: Child<ServerApi>; target: Endpoint; pid: number }> {
    const server = this.#child<ServerApi>('server')
    const port = await server.call('start', checkout === undefined ? undefined : entryOf(checkout))
    await pin(server.pid, 'server')
    return { server, target: { host: '127.0.0.1', port, path: '' }, pid: server.pid }
  }

  /** Starts a server with an adapter. */
  async #adapted(
    adapter: string,
  ): Promise<{ other: Child<AdapterServerApi>; target: Endpoint; pid: number }> {
    const other = this.#child<AdapterServerApi>('adapter-server')
    const { port, pid } = await other.call('start', adapter)
    await pin(pid, 'server')
    return { other, target: { host: '127.0.0.1', port, path: '' }, pid }
  }

  /** Runs a function with a new server. */
  async serve<T>(use: (url: string, server: Child<ServerApi>) => Promise<T>): Promise<T> {
    const { server, target } = await this.#server()
    try {
      return await use(`http://${target.host}:${target.port}`, server)
    } finally {
      await this.#stop(server)
    }
  }

  /** Measures resident and kernel memory of a server with idle subscribers. */
  idle(kind: Transport, subscribers: number): Promise<{ rssBytes: number; kernelBytes: number | null }> {
    return this.serve(async (url, server) => {
      await this.#load.call('open', {
        target: endpointOf(new URL(url)),
        kind,
        profile: 'minimal',
        interval: 3600,
        pause: false,
        wait: 55,
        seed: 1,
        channels: new Array<string>(subscribers).fill('idle'),
        messages: new Array<number>(subscribers).fill(0),
        corruptMessages: false,
      })
      const rssBytes = await server.call('memory', undefined)
      const kernel = slabBytes() ?? null
      await this.#load.call('close', undefined)
      return { rssBytes, kernelBytes: kernel }
    })
  }

  /** Returns the server of the variant, warmed up. A new generation replaces the previous server. */
  async #warmServer(variant: Variant, workload: Workload, generation: number): Promise<WarmServer> {
    const { url, target: adapter, heat: units = 0 } = this.#options
    const known = this.#servers.get(variant.name)
    if (known?.generation === generation) return known
    await this.#stop(known?.server)
    await known?.other?.call('end', undefined)
    await this.#stop(known?.other)
    const none = { server: undefined, other: undefined }
    const found =
      url !== undefined
        ? { ...none, target: endpointOf(url), pid: pidOf(url) }
        : adapter !== undefined
          ? { ...none, ...(await this.#adapted(adapter)) }
          : { ...none, ...(await this.#server(variant.checkout)) }
    const server = { generation, ...found }
    this.#servers.set(variant.name, server)
    await pin(this.#load.pid, 'load')
    if (units > 0) {
      this.heatings.push(
        await warmUpServer({ ...server, variant, workload, adapter, load: this.#load, units }),
      )
    }
    return server
  }

  /** @throws if a process fails */
  async run(plan: RoundPlan): Promise<RawRound> {
    const { faultInjection = {}, dedicatedMachine = false } = this.#options
    if (plan.workload.rtt > 0) this.#proxy ??= this.#child<ProxyApi>('proxy')
    const proxy = plan.workload.rtt > 0 ? this.#proxy : undefined
    const server = await this.#warmServer(plan.variant, plan.workload, plan.server)
    return runRound(plan, {
      ...server,
      adapter: this.#options.target,
      load: this.#load,
      publisher: this.#publisher,
      proxy,
      faultInjection,
      dedicatedMachine,
    })
  }

  /** The load process, for measurements outside of rounds. */
  get load(): Child<LoadApi> {
    return this.#load
  }
}
