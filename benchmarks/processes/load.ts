import type { Socket } from 'node:net'
import { adapterOf } from '../adapters/adapter.ts'
import { skewClock } from '../clock.ts'
import { type Random, randomOf, shuffled } from '../model/random.ts'
import type { Profile } from '../profiles.ts'
import { readerOf } from '../readers/open.ts'
import {
  type Counters,
  type Endpoint,
  processing,
  processReceived,
  type Reader,
  type ReaderContext,
  type Transport,
} from '../readers/reader.ts'
import { measureRoundTrips } from '../readers/round-trips.ts'
import { serveApi } from './child.ts'
import { ClosedLoop, type ClosedLoopPlan } from './closed-loop.ts'
import { type Usage, usage } from './usage.ts'

/** All subscribers of a round, in one process. */

export interface LoadPlan {
  readonly target: Endpoint
  readonly kind: Transport
  /** The adapter of a server that is not part of this package. */
  readonly adapter?: string | undefined
  readonly profile: Profile
  readonly interval: number
  readonly pause: boolean
  readonly wait: number
  readonly seed: number
  /** The channel of each subscriber. */
  readonly channels: readonly string[]
  /** The number of messages that each subscriber receives. */
  readonly messages: readonly number[]
  /**
   * Fault injection for tests: among the first four subscribers, the second message is dropped, duplicated, swapped, or
   * unknown.
   */
  readonly corruptMessages: boolean
  /** Fault injection for tests: clock skew in milliseconds, and the share of bytes that are not counted. */
  readonly clockSkewMs?: number
  readonly uncountedBytes?: number
}

/** Counters at one moment. */
export interface LoadSnapshot extends Counters {
  readonly usage: Usage
  /** Polling cycles recorded so far. */
  readonly cycles: number
  /** Number of reads, and the microseconds spent processing them. */
  readonly reads: number
  readonly looked: number
}

export interface Received {
  /** Per subscriber, the arrival time of each message; NaN if missed. */
  readonly at: readonly Float64Array[]
  readonly duplicates: number
  readonly reordered: number
  readonly faults: readonly string[]
  /** Seconds from request to request. */
  readonly cycles: Float64Array
}

/** Readers to open concurrently. More could overflow the accept queue. */
const AT_ONCE = 100

const nothing = (): Counters => ({
  requests: 0,
  empty: 0,
  connections: 0,
  deliveries: 0,
  envelopes: 0,
  up: 0,
  down: 0,
})

let readers: Reader[] = []
let tally = nothing()
let open = new Set<Socket>()
let cycles: number[] = []
let received: Float64Array[] = []
let left = 0
let duplicates = 0
let reordered = 0
let faults: string[] = []
let closedLoop: ClosedLoop | undefined
/** The share of bytes to count. Less than 1 only in tests. */
let counted = 1

const api = {
  trips: measureRoundTrips,

  /** Opens all subscribers. @returns once each is subscribed */
  async open(plan: LoadPlan): Promise<void> {
    const adapter = plan.adapter === undefined ? undefined : await adapterOf(plan.adapter)
    skewClock((plan.clockSkewMs ?? 0) * 1e3)
    counted = 1 - (plan.uncountedBytes ?? 0)
    tally = nothing()
    open = new Set()
    cycles = []
    duplicates = 0
    reordered = 0
    faults = []
    received = plan.messages.map((count) => new Float64Array(count).fill(Number.NaN))
    left = plan.messages.reduce((sum, count) => sum + count, 0)
    const last = plan.messages.map(() => -1)
    let fault!: (text: string) => void
    const broken = new Promise<never>((_, reject) => {
      fault = (text) => {
        faults = [...faults, text].slice(0, 5)
        reject(new Error(text))
      }
    })
    broken.catch(() => {})

    const deliver = (reader: number, index: number, at: number) => {
      const times = received[reader]!
      if (!(index < times.length)) fault('An unknown message arrived')
      else if (!Number.isNaN(times[index]!)) duplicates++
      else {
        times[index] = at
        left--
        if (index < last[reader]!) reordered++
        last[reader] = index
      }
    }
    const common: ReaderContext = {
      ...plan,
      tally,
      cycles,
      open,
      fault,
      deliver: plan.corruptMessages ? corrupted(deliver) : deliver,
    }
    const phases = phasesOf(plan.channels.length, randomOf(plan.seed))
    readers = []
    for (const [reader, channel] of plan.channels.entries()) {
      readers.push(readerOf(plan.kind, adapter, common, reader, channel, phases[reader]!))
      if (readers.length % AT_ONCE === 0 || readers.length === plan.channels.length) {
        await Promise.race([broken, Promise.all(readers.slice(-AT_ONCE).map(({ ready }) => ready))])
      }
    }
  },

  async mark(): Promise<LoadSnapshot> {
    // A process that had no core may have unread data; an event loop turn reads it.
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    processReceived()
    let { up, down } = tally
    for (const socket of open) {
      up += socket.bytesWritten - socket.writableLength
      down += socket.bytesRead
    }
    up *= counted
    down *= counted
    return { ...tally, ...processing, up, down, cycles: cycles.length, usage: usage() }
  },

  /** Returns the number of outstanding messages. */
  left: () => left,

  /** Starts a closed loop. */
  async startClosedLoop(plan: ClosedLoopPlan): Promise<void> {
    closedLoop = new ClosedLoop(plan, plan.adapter === undefined ? undefined : await adapterOf(plan.adapter))
  },

  runClosedLoop: (units: number) => closedLoop!.run(units),

  /** Stops the closed loop. */
  stopClosedLoop: () => closedLoop?.stop(),

  /** Closes the subscribers. */
  close(): Received {
    processReceived()
    for (const reader of readers) reader.stop()
    return { at: received, duplicates, reordered, faults, cycles: Float64Array.from(cycles) }
  },
}

/**
 * Returns the first polling time of each reader as a part of the interval. There is one reader in each equal part, so
 * every window has the same number of polls.
 */
function phasesOf(count: number, random: Random): number[] {
  return shuffled(
    random,
    Array.from({ length: count }, (_, i) => (i + random()) / count),
  )
}

/** Fault injection for tests: a connection that drops, duplicates and reorders messages. */
function corrupted(deliver: ReaderContext['deliver']): ReaderContext['deliver'] {
  let held = 0
  const second: ReaderContext['deliver'][] = [
    () => {},
    (reader, index, at) => {
      deliver(reader, index, at)
      deliver(reader, index, at)
    },
    (_, __, at) => {
      held = at
    },
    (reader, index, at) => {
      deliver(reader, index, at)
      deliver(reader, Number.POSITIVE_INFINITY, at)
    },
  ]
  return (reader, index, at) => {
    const way = index === 1 ? (second[reader] ?? deliver) : deliver
    way(reader, index, at)
    if (reader === 2 && index === 2) deliver(reader, 1, held)
  }
}

export type LoadApi = typeof api
serveApi(api)
