import { pollName } from '../model/advice.ts'
import { poissonTimes, randomOf, seedOf, shuffled } from '../model/random.ts'
import type { Profile } from './profiles.ts'
import type { Kind } from './readers/reader.ts'

/** What is measured, before anything runs: pure, and the same for the same seed. */

/** A way of reading. */
export interface Variant {
  readonly name: string
  /** Undefined: nobody reads. That is what publishing alone costs. */
  readonly kind: Kind | undefined
  /** Seconds; of polls alone. */
  readonly interval: number
  /** Whether the interval begins at the answer. */
  readonly pause: boolean
}

export interface Workload {
  readonly subscribers: number
  /** One channel for all, or one for each. */
  readonly channels: 'shared' | 'each'
  /** Messages a second and channel. */
  readonly rate: number
  /** Bytes. */
  readonly payload: number
  /** Seconds that a long poll is held. */
  readonly wait: number
  /** Seconds over which a connection's cost is spread. */
  readonly session: number
  readonly profile: Profile
  /** Milliseconds that the delay proxy adds to a round trip; 0: no proxy. */
  readonly rtt: number
}

export interface RoundPlan {
  readonly section: string
  readonly block: number
  readonly variant: Variant
  readonly workload: Workload
  /** Seconds. */
  readonly warmup: number
  readonly duration: number
  /** Of the schedule: equal for all rounds of a block. */
  readonly seed: number
}

export interface Section {
  readonly name: string
  readonly title: string
  /** Rounds that are compared with each other, in the order in which they run. */
  readonly blocks: readonly (readonly RoundPlan[])[]
}

export interface Settings {
  readonly workload: Workload
  readonly variants: readonly Variant[]
  readonly rounds: number
  readonly warmup: number
  readonly duration: number
  /** In which whole blocks may be repeated. */
  readonly minutes: number
  readonly seed: number
  readonly quick: boolean
  /** The app under test, where it is not one of our own. */
  readonly url: URL | undefined
}

/** The same thing measured twice in a block: what a difference has to be above. */
export const AGAIN = 'ws again'
export const PUBLISH_ONLY = 'publish only'

/** Round trip of the section with the proxy, in milliseconds, its rounds, and the most subscribers. */
const RTT = { rtt: 40, rounds: 3, subscribers: 16 }
/** Rates of the crossover, in parts of the headline's, and the rounds of each. */
const RATES = { parts: [0.2, 4], rounds: 1 }

/** Blocks of the idle section; after the first without polls, which take so much that one round tells it. */
const IDLE_ROUNDS = 3

export function pollVariant(interval: number): Variant {
  return { name: pollName(interval), kind: 'poll', interval, pause: false }
}

export function variantOf(kind: Kind | undefined, name: string = kind ?? PUBLISH_ONLY): Variant {
  return { name, kind, interval: 0, pause: false }
}

export function planOf(settings: Settings): Section[] {
  const { workload, variants, rounds, quick, url } = settings
  const controls = quick
    ? []
    : [
        ...(url === undefined ? [variantOf(undefined)] : []),
        ...(variants.some(({ kind }) => kind === 'ws') ? [variantOf('ws', AGAIN)] : []),
      ]
  const headline = section('headline', 'Headline', settings, [...variants, ...controls], workload, rounds)
  if (url !== undefined) return [headline]
  if (quick) return [headline]

  const still = { ...workload, rate: 0 }
  const quiet = (part: readonly Variant[], rounds: number, first?: number) =>
    section(
      'idle',
      'Idle: nothing is published',
      settings,
      [...part, variantOf(undefined)],
      still,
      rounds,
      first,
    )
  const held = variants.filter(({ kind }) => kind !== 'poll')
  const all = quiet(variants, 1)
  const idle = { ...all, blocks: [...all.blocks, ...quiet(held, IDLE_ROUNDS - 1, 1).blocks] }
  const rates = RATES.parts.map((part) => {
    const rate = workload.rate * part
    return section(
      `rate ${rate}`,
      `Crossover: ${rate} messages/s`,
      settings,
      [...variants, variantOf(undefined)],
      { ...workload, rate },
      RATES.rounds,
    )
  })
  const near = variants.filter(({ kind, interval }) => kind !== 'poll' || interval <= 1)
  // A message to more of them keeps the proxy busy for longer than its lag may be.
  const subscribers = Math.min(workload.subscribers, RTT.subscribers)
  const far = workload.rtt > 0 ? [] : [{ ...workload, subscribers, rtt: RTT.rtt }]
  return [
    headline,
    ...far.map((each) =>
      section(
        'rtt',
        `Through a delay of ${RTT.rtt} ms a round trip, to ${subscribers} subscribers`,
        settings,
        near,
        each,
        RTT.rounds,
      ),
    ),
    ...rates,
    idle,
  ]
}

function section(
  name: string,
  title: string,
  { seed, warmup, duration }: Settings,
  variants: readonly Variant[],
  workload: Workload,
  rounds: number,
  first = 0,
): Section {
  const blocks = Array.from({ length: rounds }, (_, index) => {
    const block = first + index
    const own = seedOf(seed, block)
    const round = (variant: Variant): RoundPlan => ({
      section: name,
      block,
      variant,
      workload,
      warmup,
      duration,
      seed: own,
    })
    return shuffled(randomOf(seedOf(own, 1)), variants).map(round)
  })
  return { name, title, blocks }
}

/** Names of the channels, and which one each subscriber reads. */
export function channelsOf({ channels, subscribers }: Workload): { names: string[]; of: number[] } {
  const names = Array.from({ length: channels === 'shared' ? 1 : subscribers }, (_, i) => `bench-${i}`)
  const of = Array.from({ length: subscribers }, (_, i) => i % names.length)
  return { names, of }
}

/** Seconds before the window: a poll has had its first whole cycle then. */
export function warmupOf({ warmup, variant }: RoundPlan): number {
  return Math.max(warmup, variant.interval)
}

/**
 * For each channel, when its messages are planned, in microseconds after the start: a Poisson process each. The
 * window's are the same for all rounds of a block, however long they warm up.
 */
export function scheduleOf(plan: RoundPlan): Float64Array[] {
  const { workload, duration, seed } = plan
  const warmup = warmupOf(plan)
  return channelsOf(workload).names.map((_, channel) => {
    if (workload.rate === 0) return new Float64Array(0)
    const times = (part: number, end: number) =>
      poissonTimes(randomOf(seedOf(seedOf(seed, channel + 2), part)), workload.rate, end)
    const before = times(0, warmup).map((time) => warmup - time)
    const inside = times(1, duration).map((time) => warmup + time)
    return Float64Array.from([...before.reverse(), ...inside], (time) => time * 1e6)
  })
}

/** Roughly what a round takes, in seconds, the start of its processes included. */
export function secondsOf(plan: RoundPlan): number {
  return warmupOf(plan) + plan.duration + plan.variant.interval + 0.3
}
