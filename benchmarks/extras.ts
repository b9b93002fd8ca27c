import { autocannon } from './peers.ts'
import type { Settings } from './plan.ts'
import type { Kind } from './readers/reader.ts'
import type { Stage } from './round.ts'
import { slopeOf } from './statistics.ts'

/** What is measured beside the rounds. */

/** What an idle subscriber takes: the slope over several counts. Bytes. */
export interface Memory {
  readonly kind: Kind
  readonly points: readonly {
    readonly subscribers: number
    readonly rssBytes: number
    readonly kernelBytes: number
  }[]
  readonly rssPerSubscriber: number
  /** Of both ends, since both are on this machine. */
  readonly kernelPerSubscriber: number
}

export async function measureMemory(
  stage: Stage,
  settings: Settings,
  counts: readonly number[],
): Promise<Memory[]> {
  const kinds = [...new Set(settings.variants.map(({ kind }) => kind!))]
  const all: Memory[] = []
  for (const kind of kinds) {
    const points: Memory['points'][0][] = []
    for (const subscribers of counts) points.push({ subscribers, ...(await stage.idle(kind, subscribers)) })
    all.push({
      kind,
      points,
      rssPerSubscriber: slopeOf(points.map((point) => [point.subscribers, point.rssBytes])),
      kernelPerSubscriber: slopeOf(points.map((point) => [point.subscribers, point.kernelBytes])),
    })
  }
  return all
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
