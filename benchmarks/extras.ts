import { autocannon } from './peers.ts'
import type { Settings } from './plan.ts'
import type { Kind } from './readers/reader.ts'
import type { Stage } from './round.ts'
import { type Estimate, meanEstimate, slopeOf } from './statistics.ts'

/** What is measured beside the rounds. */

/** What an idle subscriber takes: the slope over several counts, in bytes. */
export interface Memory {
  readonly kind: Kind
  readonly passes: readonly (readonly Held[])[]
  readonly rssPerSubscriber: Estimate
  /** Of both ends, since both are on this machine. */
  readonly kernelPerSubscriber: Estimate
}

/** What so many of them take together, with the server itself. */
export interface Held {
  readonly subscribers: number
  readonly rssBytes: number
  readonly kernelBytes: number
}

/** How often all is measured: a process's size varies by some megabytes from start to start. */
const PASSES = 3

export async function measureMemory(
  stage: Stage,
  settings: Settings,
  counts: readonly number[],
): Promise<Memory[]> {
  const kinds = [...new Set(settings.variants.map(({ kind }) => kind!))]
  const found = new Map<Kind, Held[][]>(kinds.map((kind) => [kind, []]))
  for (let pass = 0; pass < PASSES; pass++) {
    for (const kind of kinds) {
      const held: Held[] = []
      for (const subscribers of counts) held.push({ subscribers, ...(await stage.idle(kind, subscribers)) })
      found.get(kind)!.push(held)
    }
  }
  return [...found].map(([kind, passes]) => ({ kind, passes, ...memoryOf(passes) }))
}

export function memoryOf(passes: Memory['passes']): Pick<Memory, 'rssPerSubscriber' | 'kernelPerSubscriber'> {
  const slope = (bytes: (held: Held) => number) =>
    meanEstimate(passes.map((held) => slopeOf(held.map((one) => [one.subscribers, bytes(one)]))))
  return {
    rssPerSubscriber: slope(({ rssBytes }) => rssBytes),
    kernelPerSubscriber: slope(({ kernelBytes }) => kernelBytes),
  }
}

/** How many requests a second /poll answers, at most. */
export interface Ceiling {
  readonly answer: string
  readonly requestsPerSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly bytesPerSecond: number
  readonly errors: number
}

const CONNECTIONS = 10
/** Messages that each answer carries. */
const ANSWERS = [
  ['nothing new', 0],
  ['one new', 1],
  ['a hundred new', 100],
] as const

/** @param duration seconds, of each case @throws MissingPeer */
export async function measureCeiling(
  stage: Stage,
  { workload }: Settings,
  duration: number,
): Promise<Ceiling[]> {
  const shoot = await autocannon()
  return stage.serve(async (url) => {
    const place = async () => {
      const response = await fetch(`${url}/poll?channel=full`)
      return ((await response.json()) as { cursor: string }).cursor
    }
    const all: Ceiling[] = []
    for (const [answer, messages] of ANSWERS) {
      const cursor = await place()
      for (let i = 0; i < messages; i++) {
        await fetch(`${url}/publish?channel=full`, { method: 'POST', body: 'x'.repeat(workload.payload) })
      }
      const { requests, latency, throughput, errors, non2xx } = await shoot({
        url: `${url}/poll?channel=full&cursor=${cursor}`,
        connections: CONNECTIONS,
        duration,
      })
      all.push({
        answer,
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
