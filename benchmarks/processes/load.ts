import type { Socket } from 'node:net'
import { adapterOf } from '../adapters/adapter.ts'
import { putBack } from '../clock.ts'
import { type Random, randomOf, shuffled } from '../model/random.ts'
import type { Profile } from '../profiles.ts'
import { readerOf } from '../readers/open.ts'
import {
  type Common,
  type Kind,
  lookAtParts,
  type Reader,
  reading,
  type Tally,
  type Target,
} from '../readers/reader.ts'
import { measureTrips } from '../readers/trip.ts'
import { answer } from './child.ts'
import { Drive, type DrivePlan } from './drive.ts'
import { type Usage, usageMeter } from './usage.ts'

/** The subscribers of a round, as one process. */

export interface LoadPlan {
  readonly target: Target
  readonly kind: Kind
  /** A server that is none of ours, by its adapter. */
  readonly adapter?: string | undefined
  readonly profile: Profile
  readonly interval: number
  readonly pause: boolean
  readonly wait: number
  readonly seed: number
  /** One for each subscriber. */
  readonly channels: readonly string[]
  /** The messages that come to each subscriber. */
  readonly messages: readonly number[]
  /** For tests: the second message of the first four subscribers is dropped, doubled, swapped, and a foreign one. */
  readonly spoil: boolean
  /** For tests: milliseconds by which its clock is slow, and the share of the bytes that it does not count. */
  readonly slow?: number
  readonly uncounted?: number
}

/** What has been counted up to a moment. */
export interface Mark extends Tally {
  readonly usage: Usage
  /** How many cycles have been noted. */
  readonly cycles: number
  /** How often something was read, and the microseconds that looking at it took, apart from reading it. */
  readonly reads: number
  readonly looked: number
}

export interface Received {
  /** For each subscriber, when each message came; NaN where it did not. */
  readonly at: readonly Float64Array[]
  readonly duplicates: number
  readonly reordered: number
  readonly faults: readonly string[]
  /** Seconds from request to request. */
  readonly cycles: Float64Array
}

/** Readers that are opened at a time: fewer than may wait to be accepted, or the kernel would turn some away. */
const AT_ONCE = 100

const usage = usageMeter()
const nothing = (): Tally => ({
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
let drive: Drive | undefined
/** The share of the bytes that is told: all of it, but for tests. */
let counted = 1

const api = {
  trips: measureTrips,

  /** Opens all subscribers. @returns once each has its place */
  async open(plan: LoadPlan): Promise<void> {
    const adapter = plan.adapter === undefined ? undefined : await adapterOf(plan.adapter)
    putBack((plan.slow ?? 0) * 1e3)
    counted = 1 - (plan.uncounted ?? 0)
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
      if (!(index < times.length)) fault('A message came that was not sent')
      else if (!Number.isNaN(times[index]!)) duplicates++
      else {
        times[index] = at
        left--
        if (index < last[reader]!) reordered++
        last[reader] = index
      }
    }
    const common: Common = {
      ...plan,
      tally,
      cycles,
      open,
      fault,
      deliver: plan.spoil ? spoilt(deliver) : deliver,
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

  async mark(): Promise<Mark> {
    // Kept from its core, it has not read yet what is there: a turn of the loop does.
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    lookAtParts()
    let { up, down } = tally
    for (const socket of open) {
      up += socket.bytesWritten - socket.writableLength
      down += socket.bytesRead
    }
    up *= counted
    down *= counted
    return { ...tally, ...reading, up, down, cycles: cycles.length, usage: usage() }
  },

  /** How many messages have still to come. */
  left: () => left,

  /** Begins a load that goes as fast as the server does. */
  async drive(plan: DrivePlan): Promise<void> {
    drive = new Drive(plan, plan.adapter === undefined ? undefined : await adapterOf(plan.adapter))
  },

  driven: (units: number) => drive!.run(units),

  /** Ends it. */
  driveStop: () => drive?.stop(),

  /** Ends the subscribers. */
  close(): Received {
    lookAtParts()
    for (const reader of readers) reader.stop()
    return { at: received, duplicates, reordered, faults, cycles: Float64Array.from(cycles) }
  },
}

/** When each of them polls first, in parts of the interval: one in each part, so that a window has as many as it must. */
function phasesOf(count: number, random: Random): number[] {
  return shuffled(
    random,
    Array.from({ length: count }, (_, i) => (i + random()) / count),
  )
}

/** For tests: a wire that does what the real one never may. */
function spoilt(deliver: Common['deliver']): Common['deliver'] {
  let held = 0
  const second: Common['deliver'][] = [
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
answer(api)
