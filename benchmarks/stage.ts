import { entryOf } from './checkout.ts'
import { type Heating, heat } from './heat.ts'
import { pidOf, pin, slabBytes } from './machine.ts'
import type { RoundPlan, Variant, Workload } from './plan.ts'
import { type Api, Child, type Name } from './processes/child.ts'
import type { LoadApi } from './processes/load.ts'
import type { ProxyApi } from './processes/proxy.ts'
import type { PublisherApi } from './processes/publisher.ts'
import type { ServerApi } from './processes/server.ts'
import type { TargetApi } from './processes/target.ts'
import type { Kind, Target } from './readers/reader.ts'
import { type Inject, type Raw, runRound, targetOf } from './round.ts'

interface Stoppable {
  stop(): Promise<void>
}

export interface StageOptions {
  /** The app under test, where it is none of our own. */
  readonly url?: URL | undefined
  readonly target?: string | undefined
  readonly inject?: Inject | undefined
  /** Whether the machine does nothing else. */
  readonly alone?: boolean
  /** Requests or deliveries that a server has behind it before it is measured. */
  readonly heat?: number
}

/** A server, hot. */
interface Hot {
  readonly generation: number
  /** Ours; what serves otherwise is `other`, whose work the process `pid` does. */
  readonly server: Child<ServerApi> | undefined
  readonly other: Child<TargetApi> | undefined
  readonly pid: number | undefined
  readonly target: Target
}

/** The processes of a run, which stay from round to round: of servers there is one for each variant. */
export class Stage {
  /** How the servers became hot, in the order in which they did. */
  readonly heatings: Heating[] = []
  readonly #options: StageOptions
  readonly #children = new Set<Stoppable>()
  readonly #load: Child<LoadApi>
  readonly #publisher: Child<PublisherApi>
  #proxy: Child<ProxyApi> | undefined
  readonly #hot = new Map<string, Hot>()
  #ended = false

  constructor(options: StageOptions = {}) {
    this.#options = options
    this.#load = this.#child<LoadApi>('load')
    this.#publisher = this.#child<PublisherApi>('publisher')
  }

  #child<A extends Api>(name: Name): Child<A> {
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

  /** Ends all processes. What runs fails. */
  async end(): Promise<void> {
    this.#ended = true
    await Promise.all([...this.#children].map((child) => child.stop()))
  }

  /** A server that nobody has used. */
  async #server(checkout?: string): Promise<{ server: Child<ServerApi>; target: Target; pid: number }> {
    const server = this.#child<ServerApi>('server')
    const port = await server.call('start', checkout === undefined ? undefined : entryOf(checkout))
    await pin(server.pid, 'server')
    return { server, target: { host: '127.0.0.1', port, path: '' }, pid: server.pid }
  }

  /** A server that an adapter starts. */
  async #adapted(adapter: string): Promise<{ other: Child<TargetApi>; target: Target; pid: number }> {
    const other = this.#child<TargetApi>('target')
    const { port, pid } = await other.call('start', adapter)
    await pin(pid, 'server')
    return { other, target: { host: '127.0.0.1', port, path: '' }, pid }
  }

  /** Runs something against a server of its own. */
  async serve<T>(use: (url: string, server: Child<ServerApi>) => Promise<T>): Promise<T> {
    const { server, target } = await this.#server()
    try {
      return await use(`http://${target.host}:${target.port}`, server)
    } finally {
      await this.#stop(server)
    }
  }

  /** What a server holds, and the kernel for it, with so many subscribers to whom nothing comes. */
  idle(kind: Kind, subscribers: number): Promise<{ rssBytes: number; kernelBytes: number | null }> {
    return this.serve(async (url, server) => {
      await this.#load.call('open', {
        target: targetOf(new URL(url)),
        kind,
        profile: 'minimal',
        interval: 3600,
        pause: false,
        wait: 55,
        seed: 1,
        channels: new Array<string>(subscribers).fill('idle'),
        messages: new Array<number>(subscribers).fill(0),
        spoil: false,
      })
      const rssBytes = await server.call('memory', undefined)
      const kernel = slabBytes() ?? null
      await this.#load.call('close', undefined)
      return { rssBytes, kernelBytes: kernel }
    })
  }

  /** Heats the server of a variant, or finds the one that is hot. One before it is ended. */
  async #heated(variant: Variant, workload: Workload, generation: number): Promise<Hot> {
    const { url, target: adapter, heat: units = 0 } = this.#options
    const known = this.#hot.get(variant.name)
    if (known?.generation === generation) return known
    await this.#stop(known?.server)
    await known?.other?.call('end', undefined)
    await this.#stop(known?.other)
    const none = { server: undefined, other: undefined }
    const found =
      url !== undefined
        ? { ...none, target: targetOf(url), pid: pidOf(url) }
        : adapter !== undefined
          ? { ...none, ...(await this.#adapted(adapter)) }
          : { ...none, ...(await this.#server(variant.checkout)) }
    const hot = { generation, ...found }
    this.#hot.set(variant.name, hot)
    await pin(this.#load.pid, 'load')
    if (units > 0) {
      this.heatings.push(await heat({ ...hot, variant, workload, adapter, load: this.#load, units }))
    }
    return hot
  }

  /** @throws where a process can't do its part */
  async run(plan: RoundPlan): Promise<Raw> {
    const { inject = {}, alone = false } = this.#options
    if (plan.workload.rtt > 0) this.#proxy ??= this.#child<ProxyApi>('proxy')
    const proxy = plan.workload.rtt > 0 ? this.#proxy : undefined
    const hot = await this.#heated(plan.variant, plan.workload, plan.server)
    return runRound(plan, {
      ...hot,
      adapter: this.#options.target,
      load: this.#load,
      publisher: this.#publisher,
      proxy,
      inject,
      alone,
    })
  }

  /** The load, for what is measured beside the rounds. */
  get load(): Child<LoadApi> {
    return this.#load
  }
}
