import { now, until } from './clock.ts'
import { kernelBytes, pin, type Segments, segmentsOf, steal, yieldTo } from './machine.ts'
import { channelsOf, type RoundPlan, scheduleOf, warmupOf } from './plan.ts'
import { type Api, Child } from './processes/child.ts'
import type { LoadApi, Mark, Received } from './processes/load.ts'
import type { ProxyApi } from './processes/proxy.ts'
import type { Published, PublisherApi } from './processes/publisher.ts'
import type { ServerApi, Work } from './processes/server.ts'
import type { Usage } from './processes/usage.ts'
import type { Kind, Target } from './readers/reader.ts'
import type { Trips } from './readers/trip.ts'

/** What one round has brought, as it came from the processes. */
export interface Raw {
  readonly plan: RoundPlan
  /** Start of the schedule, and the window, on the shared clock. */
  readonly start: number
  readonly window: { readonly from: number; readonly to: number }
  readonly schedule: readonly Float64Array[]
  readonly published: Published
  /** By channel and number; undefined for an app that is not ours. */
  readonly accepted: readonly Float64Array[] | undefined
  readonly received: Received
  readonly trips: Trips
  /** At the window's ends. */
  readonly server: readonly [Pick<Usage, 'at' | 'cpu'>, Pick<Usage, 'at' | 'cpu'>] | undefined
  readonly serverUsage: readonly [Usage, Usage] | undefined
  readonly work: readonly [Work, Work] | undefined
  /** Before anything is published, and at the window's ends. */
  readonly opened: Mark
  readonly load: readonly [Mark, Mark]
  readonly publisher: readonly [Usage, Usage]
  readonly proxy: readonly [Usage, Usage] | undefined
  /** Microseconds. */
  readonly proxyLag: number
  readonly segments: readonly [Segments, Segments] | undefined
  /** The share of the machine that its host took away. */
  readonly steal: number
  readonly kernelBytes: number
}

/** For tests: what is done to a round so that it must fail. */
export interface Inject {
  readonly spoil?: boolean
  /** Milliseconds. */
  readonly starve?: number
}

interface Stoppable {
  stop(): Promise<void>
}

/** Servers that are started ahead at most. */
const SPARE = 6
/** Servers that one core starts in a second. */
const PACE = 2

/** The processes that stay from round to round, and those of a round. */
export class Stage {
  readonly #url: URL | undefined
  readonly #inject: Inject
  readonly #alone: boolean
  readonly #children = new Set<Stoppable>()
  readonly #load: Child<LoadApi>
  readonly #publisher: Child<PublisherApi>
  #proxy: Child<ProxyApi> | undefined
  #spare: Child<ServerApi>[] = []
  #ended = false

  /** @param alone whether the machine does nothing else */
  constructor(url: URL | undefined, inject: Inject = {}, alone = false) {
    this.#url = url
    this.#inject = inject
    this.#alone = alone
    this.#load = this.#child<LoadApi>('load')
    this.#publisher = this.#child<PublisherApi>('publisher')
  }

  #child<A extends Api>(name: 'server' | 'load' | 'publisher' | 'proxy'): Child<A> {
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

  /**
   * A server that nobody has used. While it is measured nothing else is being started.
   * @param rounds that are still to come, this one included
   */
  async #server(rounds = 1): Promise<Child<ServerApi>> {
    if (this.#spare.length === 0) this.#prepare(rounds)
    await Promise.all(this.#spare.map((server) => server.call('ready', undefined)))
    return this.#spare.shift()!
  }

  /** Starts servers ahead. @returns them */
  #prepare(count: number): Child<ServerApi>[] {
    const length = Math.max(0, Math.min(SPARE - this.#spare.length, count))
    const servers = Array.from({ length }, () => this.#child<ServerApi>('server'))
    this.#spare.push(...servers)
    return servers
  }

  /** Ends all processes. What runs fails. */
  async end(): Promise<void> {
    this.#ended = true
    await Promise.all([...this.#children].map((child) => child.stop()))
  }

  /** Runs something against a server of its own. */
  async serve<T>(use: (url: string, server: Child<ServerApi>) => Promise<T>): Promise<T> {
    const server = await this.#server()
    try {
      const port = await server.call('start', undefined)
      await pin(server.pid, 'server')
      return await use(`http://127.0.0.1:${port}`, server)
    } finally {
      await this.#stop(server)
    }
  }

  /** What a server holds, and the kernel for it, with so many subscribers to whom nothing comes. */
  idle(kind: Kind, subscribers: number): Promise<{ rssBytes: number; kernelBytes: number }> {
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
      const kernel = kernelBytes()
      await this.#load.call('close', undefined)
      return { rssBytes, kernelBytes: kernel }
    })
  }

  /** @param left rounds after this one @throws where a process can't do its part */
  async run(plan: RoundPlan, left = 0): Promise<Raw> {
    if (plan.workload.rtt > 0) this.#proxy ??= this.#child<ProxyApi>('proxy')
    const proxy = plan.workload.rtt > 0 ? this.#proxy : undefined
    const server = this.#url === undefined ? await this.#server(left + 1) : undefined
    try {
      return await this.#measure(plan, server, proxy, left)
    } finally {
      // Its end is over before the next one's warm-up is.
      this.#stop(server)
    }
  }

  async #measure(
    plan: RoundPlan,
    server: Child<ServerApi> | undefined,
    proxy: Child<ProxyApi> | undefined,
    left: number,
  ): Promise<Raw> {
    const { workload, variant, duration } = plan
    const warmup = warmupOf(plan)
    const load = this.#load
    const publisher = this.#publisher
    const own = server && { host: '127.0.0.1', port: await server.call('start', undefined), path: '' }
    const target = own ?? targetOf(this.#url!)
    const far = proxy && {
      ...target,
      host: '127.0.0.1',
      port: await proxy.call('start', { ...target, rtt: workload.rtt }),
    }
    await Promise.all([
      server && pin(server.pid, 'server'),
      ...[load, publisher, proxy].map((child) => child && pin(child.pid, 'load')),
    ])

    // Publisher and proxy keep time: they must not wait for the load.
    await yieldTo(load.pid, this.#alone)

    const schedule = scheduleOf(plan)
    const { names, of } = channelsOf(workload)
    const trips = await load.call('trips', far ?? target)
    const readers = variant.kind === undefined ? [] : of
    await load.call('open', {
      target: far ?? target,
      kind: variant.kind ?? 'poll',
      profile: workload.profile,
      interval: variant.interval,
      pause: variant.pause,
      wait: workload.wait,
      seed: plan.seed,
      channels: readers.map((channel) => names[channel]!),
      messages: readers.map((channel) => schedule[channel]!.length),
      spoil: this.#inject.spoil ?? false,
    })

    const opened = await load.call('mark', undefined)

    const start = now() + 20_000
    const window = { from: start + warmup * 1e6, to: start + (warmup + duration) * 1e6 }
    const port = await publisher.call('start', {
      target,
      channels: names,
      times: schedule,
      start,
      payload: workload.payload,
      starve: this.#inject.starve ?? 0,
    })
    const look = () =>
      Promise.all([
        server?.call('usage', undefined),
        load.call('mark', undefined),
        publisher.call('usage', undefined),
        proxy?.call('usage', undefined),
        server === undefined ? statsOf(target) : undefined,
        server?.call('work', undefined),
      ])
    const segments = () => segmentsOf(target.port, [port])

    await until(window.from - 100_000)
    const segmentsBefore = await segments()
    await proxy?.call('lag', undefined)
    await until(window.from)
    const stealBefore = steal()
    const before = await look()
    await until(window.to)
    const after = await look()
    const stealAfter = steal()
    const proxyLag = (await proxy?.call('lag', undefined)) ?? 0
    const segmentsAfter = await segments()
    const kernel = kernelBytes()
    if (server !== undefined) {
      // While what was published last is still being polled: not on the load's core, which would have to wait.
      const count = Math.min(Math.floor(variant.interval * PACE), left - this.#spare.length)
      await Promise.all(this.#prepare(count).map(({ pid }) => pin(pid, 'server')))
    }

    const published = await publisher.call('finish', undefined)
    const drained = now() + (variant.interval + 2 + (workload.rtt * 4) / 1000) * 1e6
    while ((await load.call('left', undefined)) > 0 && now() < drained) await until(now() + 10_000)
    const received = await load.call('close', undefined)
    const accepted = await server?.call('accepted', undefined)

    const pair = <T>(one: T | undefined, other: T | undefined): [T, T] | undefined =>
      one === undefined || other === undefined ? undefined : [one, other]
    return {
      plan,
      start,
      window,
      schedule,
      published,
      accepted: accepted && names.map((name) => accepted.get(name) ?? new Float64Array(0)),
      received,
      trips,
      server: pair(before[0] ?? before[4], after[0] ?? after[4]),
      serverUsage: pair(before[0], after[0]),
      work: pair(before[5], after[5]),
      opened,
      load: [before[1], after[1]],
      publisher: [before[2], after[2]],
      proxy: pair(before[3], after[3]),
      proxyLag,
      segments: pair(segmentsBefore, segmentsAfter),
      steal: (stealAfter.stolen - stealBefore.stolen) / Math.max(1, stealAfter.total - stealBefore.total),
      kernelBytes: kernel,
    }
  }
}

/** @param url checked: http alone */
export function targetOf(url: URL): Target {
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 80),
    path: url.pathname.replace(/\/$/, ''),
  }
}

/** The CPU that an app tells of itself. */
async function statsOf({ host, port, path }: Target): Promise<{ at: number; cpu: number } | undefined> {
  try {
    const response = await fetch(`http://${host}:${port}${path}/stats`)
    const { process } = (await response.json()) as { process: { cpuMs: number } }
    return { at: now(), cpu: process.cpuMs * 1000 }
  } catch {
    return undefined
  }
}
