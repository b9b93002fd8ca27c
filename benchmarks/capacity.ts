import autocannon from 'autocannon'
import type { FullRunParameters } from './full-run.ts'
import { openFiles, pin } from './machine.ts'
import { type Settings, variantOf } from './plan.ts'
import type { Transport } from './readers/reader.ts'
import { endpointOf } from './round.ts'
import { warmUpServer } from './server-warmup.ts'
import { type Estimate, medianEstimate, slopeOf } from './statistics.ts'
import type { Testbed } from './testbed.ts'

/** What a server can carry: memory of idle subscribers, CPU per delivery, and the throughput of /poll. */
export interface Capacity {
  /** Empty if not measured. */
  readonly memory: readonly IdleMemory[]
  readonly ceiling: readonly PollThroughput[]
  readonly hot: readonly DeliveryCpu[]
}

/** @param progress receives a line when a measurement starts */
export async function measureCapacity(
  testbed: Testbed,
  settings: Settings,
  { idleSubscribers, passes, deliveryCpu, throughputSeconds }: FullRunParameters,
  progress: (line: string) => void,
): Promise<Capacity> {
  progress('Memory of idle subscribers')
  const memory = await measureMemory(testbed, settings, idleSubscribers, passes)
  progress('CPU per delivery on a warmed-up server, by number of subscribers')
  const hot = await measureDeliveryCpu(testbed, settings, deliveryCpu)
  progress('Throughput of /poll')
  return {
    memory,
    hot,
    ceiling: await measurePollThroughput(testbed, settings, throughputSeconds, deliveryCpu.units),
  }
}

/** Memory of an idle subscriber in bytes: the slope over several subscriber counts. */
export interface IdleMemory {
  readonly kind: Transport
  readonly passes: readonly (readonly MemorySample[])[]
  readonly rssPerSubscriber: Estimate
  /** The sum for both ends of the connection, since both run on this machine. */
  readonly kernelPerSubscriber: Estimate | null
}

/** Memory of the server with all its idle subscribers. */
export interface MemorySample {
  readonly subscribers: number
  readonly rssBytes: number
  /** Null if the kernel does not expose it. */
  readonly kernelBytes: number | null
}

async function measureMemory(
  testbed: Testbed,
  settings: Settings,
  counts: readonly number[],
  passes: number,
): Promise<IdleMemory[]> {
  const kinds = [...new Set(settings.variants.map(({ kind }) => kind!))]
  const found = new Map<Transport, MemorySample[][]>(kinds.map((kind) => [kind, []]))
  for (let pass = 0; pass < passes; pass++) {
    for (const kind of kinds) {
      const held: MemorySample[] = []
      for (const subscribers of counts) held.push({ subscribers, ...(await testbed.idle(kind, subscribers)) })
      found.get(kind)!.push(held)
    }
  }
  return [...found].map(([kind, passes]) => ({ kind, passes, ...idleMemoryOf(passes) }))
}

export function idleMemoryOf(
  passes: IdleMemory['passes'],
): Pick<IdleMemory, 'rssPerSubscriber' | 'kernelPerSubscriber'> {
  const slope = (bytes: (held: MemorySample) => number) =>
    medianEstimate(passes.map((held) => slopeOf(held.map((one) => [one.subscribers, bytes(one)]))))
  const told = passes.flat().every(({ kernelBytes }) => kernelBytes !== null)
  return {
    rssPerSubscriber: slope(({ rssBytes }) => rssBytes),
    kernelPerSubscriber: told ? slope(({ kernelBytes }) => kernelBytes!) : null,
  }
}

/** CPU time per delivery on a warmed-up server in a closed loop, with a 95 % confidence interval. */
export interface DeliveryCpu {
  readonly kind: Transport
  readonly subscribers: number
  /** Microseconds. For a long poll, this includes the request. */
  readonly cpu: Estimate
}

/** Slices per case, of which the median counts. Fewer than six give no interval. */
const SLICES = 8
async function measureDeliveryCpu(
  testbed: Testbed,
  { variants, workload }: Settings,
  { subscribers, units }: FullRunParameters['deliveryCpu'],
): Promise<DeliveryCpu[]> {
  const kinds = [...new Set(variants.map(({ kind }) => kind!))].filter((kind) => kind !== 'poll')
  const found: DeliveryCpu[] = []
  for (const kind of kinds) {
    await testbed.serve(async (url, server) => {
      const target = endpointOf(new URL(url))
      const { load } = testbed
      await pin(load.pid, 'load')
      await warmUpServer({ variant: variantOf(kind), workload, generation: 0, target, server, load, units })
      for (const count of subscribers.filter((count) => 2 * count < openFiles())) {
        await load.call('startClosedLoop', {
          target,
          kind,
          subscribers: count,
          payload: workload.payload,
          aside: 0,
        })
        // Warm up with as many deliveries as one slice.
        await load.call('runClosedLoop', Math.max(count, units / SLICES))
        const costs: number[] = []
        for (let slice = 0; slice < SLICES; slice++) {
          const before = await server.call('usage', undefined)
          const done = await load.call('runClosedLoop', Math.max(count, units / SLICES))
          costs.push(((await server.call('usage', undefined)).cpu - before.cpu) / done.units)
        }
        await load.call('stopClosedLoop', undefined)
        found.push({ kind, subscribers: count, cpu: medianEstimate(costs) })
      }
    })
  }
  return found
}

/** Maximum throughput of /poll. */
export interface PollThroughput {
  readonly answer: string
  /** Messages per response. */
  readonly messages: number
  /** CPU time of the server in microseconds, after its warm-up. */
  readonly cpuPerRequest: number
  readonly requestsPerSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly bytesPerSecond: number
  readonly errors: number
}

const CONNECTIONS = 10
/** Names of the cases, and the messages per response. */
const ANSWERS = [
  ['nothing new', 0],
  ['one new', 1],
  ['a hundred new', 100],
] as const

/** @param duration seconds per case @param units requests that warm the server up */
async function measurePollThroughput(
  testbed: Testbed,
  { workload }: Settings,
  duration: number,
  units: number,
): Promise<PollThroughput[]> {
  return testbed.serve(async (url, server) => {
    const [target, { load }] = [endpointOf(new URL(url)), testbed]
    await warmUpServer({ variant: variantOf('poll'), workload, generation: 0, target, server, load, units })
    const place = async () => {
      const response = await fetch(`${url}/poll?channel=full`)
      return ((await response.json()) as { cursor: string }).cursor
    }
    const all: PollThroughput[] = []
    for (const [answer, messages] of ANSWERS) {
      const cursor = await place()
      for (let i = 0; i < messages; i++) {
        await fetch(`${url}/publish?channel=full`, { method: 'POST', body: 'x'.repeat(workload.payload) })
      }
      const before = await server.call('usage', undefined)
      const { requests, latency, throughput, errors, non2xx } = await autocannon({
        url: `${url}/poll?channel=full&cursor=${cursor}`,
        connections: CONNECTIONS,
        duration,
      })
      const after = await server.call('usage', undefined)
      all.push({
        answer,
        messages,
        cpuPerRequest: (after.cpu - before.cpu) / requests.total,
        requestsPerSecond: requests.mean,
        p50: latency.p50,
        p99: latency.p99,
        bytesPerSecond: throughput.mean,
        errors: errors + non2xx,
      })
    }
    return all
  })
}
