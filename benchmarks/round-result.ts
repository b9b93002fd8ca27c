import type { HdrHistogram } from './hdr-histogram.ts'
import { type Latency, LatencyRecorder } from './latency.ts'
import { exchangeHeaders, pushHeaders, SEGMENT } from './model/bytes.ts'
import type { RoundPlan } from './plan.ts'
import type { RoundTrips } from './readers/round-trips.ts'
import type { RawRound } from './round.ts'
import { trimmedMax } from './statistics.ts'

/** Computes the figures of one round. */

/** Bytes per delivered message. */
export interface Bytes {
  readonly up: number
  readonly down: number
  readonly both: number
  /** The parts of `both`: payload, envelope, and the rest (HTTP headers, event lines, chunks, frames). */
  readonly payload: number
  readonly envelope: number
  readonly overhead: number
  /** TCP/IP headers: counted on this machine, and modelled with 1448 bytes per segment. */
  readonly tcpCounted: number | null
  readonly tcpModelled: number
}

export interface ProcessUsage {
  /** The share of time in which the event loop was busy. */
  readonly utilisation: number
  /** The share of time in which the process was runnable without a core; 0 if unknown. */
  readonly waited: number
}

export interface RoundResult {
  readonly variant: string
  readonly section: string
  readonly block: number
  /** Length of the window. */
  readonly seconds: number
  readonly publishes: number
  readonly deliveries: number
  /** Over the whole round, including the warm-up. */
  readonly missed: number
  readonly duplicates: number
  readonly reordered: number
  readonly faults: readonly string[]
  /**
   * Times to delivery from the planned time and from the server's acceptance, and times of the publish request. Null:
   * none.
   */
  readonly latency: Latency | null
  readonly accepted: Latency | null
  readonly publish: Latency | null
  readonly requests: number | null
  readonly emptyShare: number | null
  readonly connections: number
  readonly bytes: Bytes | null
  /** CPU of the server in microseconds, per second and per delivery. */
  readonly cpuPerSecond: number | null
  readonly cpuPerDelivery: number | null
  readonly serverRssBytes: number | null
  readonly server: ProcessUsage | null
  readonly load: ProcessUsage
  /** Means of the polling cycles and of their squares, in seconds. */
  readonly cycle: { readonly mean: number; readonly square: number } | null
  /** Null for a server that an adapter started. */
  readonly trips: RoundTrips | null
  /** Internal times of the server. Null for an app that is not part of this package. */
  readonly work: ServerTimings | null
  readonly quality: Quality
}

/** Internal times of the server in the window, in seconds. */
export interface ServerTimings {
  /** Mean time from accepting a message to the start of the fan-out. */
  readonly turn: number
  /** Mean time from there to the first write. */
  readonly ahead: number
  /** Deliveries: one per waiting reader and message. */
  readonly writes: number
  /** Total time of the fan-out, including `ahead`. */
  readonly handed: number
  /** Mean time per reader after the first write of a row: in the server, and to read it in the load. */
  readonly write: number
  readonly read: number
  /** Mean time to process what was read. */
  readonly look: number
  /** Time in which the event loop was not idle. */
  readonly active: number
}

/** Inputs of the conditions of a valid round. */
export interface Quality {
  /** Whether the wide bounds of a quick run apply. */
  readonly lenient: boolean
  /** The share of planned publishes in the window that were accepted in time. */
  readonly acceptedShare: number
  /** Publishes before their planned time. */
  readonly early: number
  /** Milliseconds. */
  readonly lagP99: number
  /** The largest share of a figure of the latency that the publisher's lag adds. */
  readonly lagShare: number
  readonly proxyLagP99: number
  /** CPU of load, publisher and proxy together, in cores. */
  readonly loadCore: number
  readonly steal: number
  /** Shares of time in which the server was runnable without a core, and running. Null: unknown. */
  readonly serverWaited: number | null
  readonly serverRan: number | null
  /** The server's own CPU figure divided by that of /proc. 1 if /proc has none. */
  readonly cpuTold: number
  /** Maximum clock error in milliseconds. */
  readonly clockOff: number
  /** Messages that arrived before they were sent. */
  readonly negative: number
}

export function measure(raw: RawRound, histogram: () => HdrHistogram): RoundResult {
  const { plan, window, schedule, published, accepted, received, start } = raw
  const { workload, variant } = plan
  const [before, after] = raw.load
  const seconds = (after.usage.at - before.usage.at) / 1e6
  const planned = schedule.map((times) => times.map((time) => start + time))
  const inside = (channel: number, index: number) => planned[channel]![index]! >= window.from

  const total = new LatencyRecorder(histogram)
  const onTime = new LatencyRecorder(histogram)
  const after201 = new LatencyRecorder(histogram)
  const leg = new LatencyRecorder(histogram)
  const legOnTime = new LatencyRecorder(histogram)
  let missed = 0
  let negative = 0
  for (const [reader, times] of received.at.entries()) {
    const channel = reader % planned.length
    for (const [index, at] of times.entries()) {
      if (at < published.sent[channel]![index]!) negative++
      if (Number.isNaN(at)) missed++
      else if (inside(channel, index)) {
        total.add(at - planned[channel]![index]!)
        onTime.add(at - published.sent[channel]![index]!)
        const taken = (accepted ?? published.answered)[channel]![index]!
        if (!Number.isNaN(taken)) after201.add(at - taken)
      }
    }
  }

  let publishes = 0
  let inTime = 0
  let early = 0
  const lags: number[] = []
  for (const [channel, times] of planned.entries()) {
    for (const [index, at] of times.entries()) {
      const sent = published.sent[channel]![index]!
      if (sent < at) early++
      if (!inside(channel, index)) continue
      publishes++
      lags.push(sent - at)
      const answered = published.answered[channel]![index]!
      // The response to a publish planned for the last moments of the window may arrive after it.
      if (answered <= window.to + 10_000) inTime++
      if (Number.isNaN(answered)) continue
      leg.add(answered - at)
      legOnTime.add(answered - sent)
    }
  }
  lags.sort((a, b) => a - b)

  const deliveries = after.deliveries - before.deliveries
  const cpu = raw.server && raw.server[1].cpu - raw.server[0].cpu
  const cpuSeconds = raw.server && (raw.server[1].at - raw.server[0].at) / 1e6
  const cost = <T>(value: T) => (deliveries > 0 ? value : null)
  const cycles = received.cycles.subarray(before.cycles, after.cycles)
  return {
    variant: variant.name,
    section: plan.section,
    block: plan.block,
    seconds,
    publishes,
    deliveries,
    missed,
    duplicates: received.duplicates,
    reordered: received.reordered,
    faults: received.faults,
    latency: total.summary(publishes),
    accepted: after201.summary(publishes),
    publish: leg.summary(publishes),
    requests: cost((after.requests - before.requests) / deliveries + perSession(deliveries, seconds)),
    emptyShare:
      after.requests > before.requests
        ? (after.empty - before.empty) / (after.requests - before.requests)
        : null,
    connections: after.connections,
    bytes: cost(bytesOf(raw, deliveries, seconds)),
    cpuPerSecond: cpu === undefined ? null : cpu / cpuSeconds!,
    cpuPerDelivery: cpu === undefined ? null : cost(cpu / deliveries),
    serverRssBytes: raw.serverUsage?.[1].rssBytes ?? null,
    server: raw.serverUsage === undefined ? null : processOf(raw.serverUsage),
    load: processOf([before.usage, after.usage]),
    cycle:
      cycles.length === 0
        ? null
        : { mean: meanOf(cycles), square: meanOf(cycles.map((cycle) => cycle * cycle)) },
    trips: raw.trips,
    work: workOf(raw, seconds),
    quality: {
      acceptedShare: publishes === 0 ? 1 : inTime / publishes,
      early,
      lagP99: trimmedMax(lags) / 1000,
      // Without readers, the only such figure is the p50 of a publish.
      lagShare:
        total.count > 0
          ? lagShareOf(total, onTime, publishes, ['mean', 'p50', 'p90', 'p99'])
          : lagShareOf(leg, legOnTime, publishes, ['p50']),
      proxyLagP99: raw.proxyLag / 1000,
      loadCore: [
        [before.usage, after.usage] as const,
        raw.publisher,
        ...(raw.proxy ? [raw.proxy] : []),
      ].reduce((sum, [from, to]) => sum + (to.cpu - from.cpu) / (to.at - from.at), 0),
      steal: raw.steal,
      lenient: plan.lenient,
      serverWaited: raw.serverUsage === undefined ? null : processOf(raw.serverUsage).waited,
      serverRan: cpu === undefined ? null : cpu / 1e6 / cpuSeconds!,
      cpuTold: reportedCpuRatio(raw),
      clockOff: raw.clockOff / 1000,
      negative,
    },
  }

  function meanOf(values: Float64Array): number {
    return values.reduce((sum, value) => sum + value, 0) / values.length
  }

  function processOf([from, to]: RawRound['publisher']): ProcessUsage {
    const active = to.loop.active - from.loop.active
    return {
      utilisation: active / (active + to.loop.idle - from.loop.idle),
      waited: (to.waited - from.waited) / (to.at - from.at),
    }
  }

  /** Spreads the single request of a stream over its session: the requests per message. */
  function perSession(messages: number, time: number): number {
    if (!isStream(plan)) return 0
    return (workload.subscribers * time) / (messages * workload.session)
  }
}

/**
 * Compares the latencies from the planned times with those from the actual times: the publisher's lag is the difference.
 * @returns the largest difference of a figure, as a share of it
 */
function lagShareOf(
  planned: LatencyRecorder,
  actual: LatencyRecorder,
  publishes: number,
  figures: readonly ('mean' | 'p50' | 'p90' | 'p99')[],
): number {
  const [late, own] = [planned.summary(publishes), actual.summary(publishes)]
  if (late === null || own === null) return 0
  const shares = figures.map((figure) => {
    const [from, to] = [own[figure], late[figure]]
    return from === null || to === null || to <= 0 ? 0 : (to - from) / to
  })
  return Math.max(0, ...shares)
}

/**
 * Divides the server's own CPU figure by that of /proc. /proc was read before and after each of the server's figures,
 * which gives a range for the ratio. Returns 1 if it is within the range.
 */
function reportedCpuRatio({ serverUsage, procCpu }: RawRound): number {
  if (serverUsage === undefined || procCpu === undefined) return 1
  const told = serverUsage[1].cpu - serverUsage[0].cpu
  const least = procCpu[1].before - procCpu[0].after
  const most = procCpu[1].after - procCpu[0].before
  return told < least ? told / least : told > most ? told / most : 1
}

/** Computes bytes on the subscribers' sockets. The setup of a stream is spread over its session. */
function bytesOf({ plan, opened, segments, load }: RawRound, deliveries: number, seconds: number): Bytes {
  const { payload, session } = plan.workload
  const [before, after] = load
  const stream = isStream(plan)
  const spread = stream ? seconds / (session * deliveries) : 0
  const up = (after.up - before.up) / deliveries + opened.up * spread
  const down = (after.down - before.down) / deliveries + opened.down * spread
  const envelope = (after.envelopes - before.envelopes) / deliveries
  const requests = (after.requests - before.requests) / deliveries
  return {
    up,
    down,
    both: up + down,
    payload,
    envelope: envelope - payload,
    overhead: up + down - envelope,
    tcpCounted:
      // The kernel drops the counters of closed connections.
      segments === undefined || after.connections > before.connections
        ? null
        : (SEGMENT * (segments[1].in + segments[1].out - segments[0].in - segments[0].out)) / deliveries,
    tcpModelled: stream ? pushHeaders(down) : requests * exchangeHeaders(up / requests, down / requests),
  }
}

function workOf({ work, serverUsage, load }: RawRound, seconds: number): ServerTimings | null {
  if (work === undefined || serverUsage === undefined) return null
  const [from, to] = work
  const [before, after] = serverUsage
  const active = after.loop.active - before.loop.active
  const idle = after.loop.idle - before.loop.idle
  const [begin, end] = load
  const writes = to.writes - from.writes
  const ahead = to.ahead - from.ahead
  const atWork = (end.usage.loop.active - begin.usage.loop.active) * 1e3
  return {
    turn: (to.turn - from.turn) / Math.max(1, to.messages - from.messages) / 1e6,
    ahead: ahead / Math.max(1, to.rows - from.rows) / 1e6,
    writes,
    handed: (to.handed - from.handed) / 1e6,
    write: (to.handed - from.handed - ahead) / Math.max(1, writes) / 1e6,
    look: (end.looked - begin.looked) / Math.max(1, end.reads - begin.reads) / 1e6,
    read: Math.max(0, atWork - end.looked + begin.looked) / Math.max(1, end.reads - begin.reads) / 1e6,
    active: (seconds * active) / (active + idle),
  }
}

function isStream({ variant: { kind } }: RoundPlan): boolean {
  return kind === 'sse' || kind === 'ws'
}
