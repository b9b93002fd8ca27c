import { now, until } from './clock.ts'
import { lowerPriority, pin, procCpuOf, type Segments, segmentsOf, steal } from './machine.ts'
import { channelsOf, type RoundPlan, scheduleOf, warmupOf } from './plan.ts'
import type { Child } from './processes/child.ts'
import type { LoadApi, LoadSnapshot, Received } from './processes/load.ts'
import type { ProxyApi } from './processes/proxy.ts'
import type { PublisherApi, PublishTimes } from './processes/publisher.ts'
import type { ServerApi, ServerCounters } from './processes/server.ts'
import type { Usage } from './processes/usage.ts'
import type { Endpoint } from './readers/reader.ts'
import type { RoundTrips } from './readers/round-trips.ts'

/** The raw data of one round. */
export interface RawRound {
  readonly plan: RoundPlan
  /** Start of the schedule and the window, on the shared clock. */
  readonly start: number
  readonly window: { readonly from: number; readonly to: number }
  readonly schedule: readonly Float64Array[]
  readonly published: PublishTimes
  /** Acceptance times by channel and number. Undefined for an app that is not part of this package. */
  readonly accepted: readonly Float64Array[] | undefined
  readonly received: Received
  readonly trips: RoundTrips | null
  /** At the start and the end of the window. */
  readonly server: readonly [Pick<Usage, 'at' | 'cpu'>, Pick<Usage, 'at' | 'cpu'>] | undefined
  readonly serverUsage: readonly [Usage, Usage] | undefined
  readonly work: readonly [ServerCounters, ServerCounters] | undefined
  /** Before the first publish, and at the start and the end of the window. */
  readonly opened: LoadSnapshot
  readonly load: readonly [LoadSnapshot, LoadSnapshot]
  readonly publisher: readonly [Usage, Usage]
  readonly proxy: readonly [Usage, Usage] | undefined
  /** Microseconds. */
  readonly proxyLag: number
  readonly segments: readonly [Segments, Segments] | undefined
  /** The share of CPU that the host stole. */
  readonly steal: number
  /** The server's CPU in /proc before and after each of its own figures, in microseconds. */
  readonly procCpu: readonly [CpuBounds, CpuBounds] | undefined
  /** Maximum distance of a process's clock from the time in which it was read, in microseconds. */
  readonly clockOff: number
}

/** Bounds of a figure that was read in between. */
export interface CpuBounds {
  readonly before: number
  readonly after: number
}

/** Fault injection for tests. */
export interface FaultInjection {
  /** Whether the load drops, duplicates, swaps and invents messages. */
  readonly corruptMessages?: boolean
  /** Milliseconds to block the publisher before each message. */
  readonly publisherBlockMs?: number
  /** Clock skew of the load in milliseconds. */
  readonly clockSkewMs?: number
  /** The share of bytes that is not counted, from 0 to 1. */
  readonly uncountedBytes?: number
  /** The share of its CPU time that the server reports, from 0 to 1. */
  readonly reportedCpu?: number
  /** Modifies the raw data, for faults that can't be injected otherwise. */
  readonly alterRound?: (raw: RawRound) => RawRound
}

/** The processes of a round. */
export interface RoundProcesses {
  /** Undefined for an app that is not part of this package. */
  readonly server: Child<ServerApi> | undefined
  readonly load: Child<LoadApi>
  readonly publisher: Child<PublisherApi>
  readonly proxy: Child<ProxyApi> | undefined
  /** The process that does the work, if known. */
  readonly pid: number | undefined
  /** The adapter of a server that is not part of this package. */
  readonly adapter: string | undefined
  /** The app's address. */
  readonly target: Endpoint
  readonly faultInjection: FaultInjection
  /** Whether the machine runs nothing else. */
  readonly dedicatedMachine: boolean
}

/** @throws if a process fails */
export async function runRound(plan: RoundPlan, processes: RoundProcesses): Promise<RawRound> {
  const { workload, variant, duration } = plan
  const { server, pid, adapter, load, publisher, proxy, target, faultInjection, dedicatedMachine } = processes
  const warmup = warmupOf(plan)
  await server?.call('start', undefined)
  if (faultInjection.reportedCpu !== undefined)
    await server?.call('scaleReportedCpu', faultInjection.reportedCpu)
  const far = proxy && {
    ...target,
    host: '127.0.0.1',
    port: await proxy.call('start', { ...target, rtt: workload.rtt }),
  }
  await Promise.all([
    server && pin(server.pid, 'server'),
    ...[load, publisher, proxy].map((child) => child && pin(child.pid, 'load')),
  ])

  // Publisher and proxy keep time and must not wait for the load.
  await lowerPriority(load.pid, dedicatedMachine)

  const schedule = scheduleOf(plan)
  const { names, of } = channelsOf(workload)
  // Adapters do not describe an empty request or an echo.
  const trips = adapter === undefined ? await load.call('trips', far ?? target) : null
  const readers = variant.kind === undefined ? [] : of
  await load.call('open', {
    target: far ?? target,
    kind: variant.kind ?? 'poll',
    adapter,
    profile: workload.profile,
    interval: variant.interval,
    pause: variant.pause,
    wait: workload.wait,
    seed: plan.seed,
    channels: readers.map((channel) => names[channel]!),
    messages: readers.map((channel) => schedule[channel]!.length),
    corruptMessages: faultInjection.corruptMessages ?? false,
    clockSkewMs: faultInjection.clockSkewMs ?? 0,
    uncountedBytes: faultInjection.uncountedBytes ?? 0,
  })

  const opened = await load.call('mark', undefined)

  const start = now() + 20_000
  const window = { from: start + warmup * 1e6, to: start + (warmup + duration) * 1e6 }
  const port = await publisher.call('start', {
    target,
    adapter,
    channels: names,
    times: schedule,
    start,
    payload: workload.payload,
    keyed: server === undefined && adapter === undefined,
    // The proxy would have to wait for a spinning publisher.
    spin: proxy === undefined,
    blockMs: faultInjection.publisherBlockMs ?? 0,
  })
  let clockOff = 0
  /** Reads the usage of a process. Its clock must show a time between request and response. */
  const withClockCheck = async <T>(ask: () => Promise<T>, at: (answer: T) => number) => {
    const before = now()
    const answer = await ask()
    clockOff = Math.max(clockOff, before - at(answer), at(answer) - now())
    return answer
  }
  const usageOf = (child: { call(name: 'usage', argument: undefined): Promise<Usage> }) =>
    withClockCheck(
      () => child.call('usage', undefined),
      ({ at }) => at,
    )
  const serverSnapshot = async (child: Child<ServerApi>) => {
    const before = procCpuOf(child.pid)
    const usage = await usageOf(child)
    const after = procCpuOf(child.pid)
    return {
      usage,
      work: await child.call('work', undefined),
      bounds: before === undefined || after === undefined ? undefined : { before, after },
    }
  }
  const snapshot = async () => {
    const [own, mark, published, delayed, external] = await Promise.all([
      server && serverSnapshot(server),
      withClockCheck(
        () => load.call('mark', undefined),
        ({ usage }) => usage.at,
      ),
      usageOf(publisher),
      proxy && usageOf(proxy),
      server === undefined ? externalCpu(target, adapter, pid) : undefined,
    ])
    return { own, mark, published, delayed, cpu: own?.usage ?? external }
  }
  const segments = () => segmentsOf(target.port, [port])

  await until(window.from - 100_000)
  const segmentsBefore = await segments()
  await proxy?.call('lag', undefined)
  await until(window.from)
  const stealBefore = steal()
  const before = await snapshot()
  await until(window.to)
  const after = await snapshot()
  const stealAfter = steal()
  const proxyLag = (await proxy?.call('lag', undefined)) ?? 0
  const segmentsAfter = await segments()

  const published = await publisher.call('finish', undefined)
  const drained = now() + (variant.interval + 2 + (workload.rtt * 4) / 1000) * 1e6
  while ((await load.call('left', undefined)) > 0 && now() < drained) await until(now() + 10_000)
  const received = await load.call('close', undefined)
  const accepted = await server?.call('accepted', undefined)

  const raw: RawRound = {
    plan,
    start,
    window,
    schedule,
    published,
    accepted: accepted && names.map((name) => accepted.get(name) ?? new Float64Array(0)),
    received,
    trips,
    server: pair(before.cpu, after.cpu),
    serverUsage: pair(before.own?.usage, after.own?.usage),
    work: pair(before.own?.work, after.own?.work),
    procCpu: pair(before.own?.bounds, after.own?.bounds),
    clockOff,
    opened,
    load: [before.mark, after.mark],
    publisher: [before.published, after.published],
    proxy: pair(before.delayed, after.delayed),
    proxyLag,
    segments: pair(segmentsBefore, segmentsAfter),
    steal: (stealAfter.stolen - stealBefore.stolen) / Math.max(1, stealAfter.total - stealBefore.total),
  }
  return faultInjection.alterRound?.(raw) ?? raw
}

function pair<T>(one: T | undefined, other: T | undefined): [T, T] | undefined {
  return one === undefined || other === undefined ? undefined : [one, other]
}

/** @param url an http URL */
export function endpointOf(url: URL): Endpoint {
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 80),
    path: url.pathname.replace(/\/$/, ''),
  }
}

/**
 * Returns the CPU of an app that is not part of this package, from its /stats, or from /proc if it runs on this
 * machine.
 */
async function externalCpu(
  target: Endpoint,
  adapter: string | undefined,
  pid: number | undefined,
): Promise<{ at: number; cpu: number } | undefined> {
  const external = adapter === undefined ? await statsOf(target) : undefined
  if (external !== undefined || pid === undefined) return external
  const cpu = procCpuOf(pid)
  return cpu === undefined ? undefined : { at: now(), cpu }
}

/** Reads the CPU from the app's /stats. */
async function statsOf({ host, port, path }: Endpoint): Promise<{ at: number; cpu: number } | undefined> {
  try {
    const response = await fetch(`http://${host}:${port}${path}/stats`)
    const { process } = (await response.json()) as { process: { cpuMs: number } }
    return { at: now(), cpu: process.cpuMs * 1000 }
  } catch {
    return undefined
  }
}
