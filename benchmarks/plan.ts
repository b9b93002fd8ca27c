import { pollName } from './model/choice.ts'
import { randomOf, seedOf, shuffled, uniformTimes } from './model/random.ts'
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
  /** The checkout whose plugin serves it; undefined: this one's. */
  readonly checkout?: string | undefined
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
  /** Which of the servers of this variant it is measured on, one after the other. */
  readonly server: number
  /** Whether the machine may be disturbed more than in a full run. */
  readonly lenient: boolean
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
  /** Requests or deliveries that a server has behind it before it is measured. */
  readonly heat: number
  /** In which rounds may be repeated. */
  readonly minutes: number
  readonly seed: number
  readonly quick: boolean
  /** The app under test, where it is not one of our own: one that runs, or one that an adapter starts. */
  readonly url: URL | undefined
  readonly target: string | undefined
  /** Another checkout of this package, which is measured by turns with this one. */
  readonly against: string | undefined
}

/** Whether it is the app of this package that is measured, of which all is known. */
export function isOurs({ url, target }: Pick<Settings, 'url' | 'target'>): boolean {
  return url === undefined && target === undefined
}

/** The same thing measured twice in a block: what a difference has to be above. */
export const AGAIN = 'ws, repeated'
/** What another checkout's variants have behind their names. */
export const OTHER = ', other'
export const PUBLISH_ONLY = 'publish only'

/** Round trip of the section with the proxy, in milliseconds, its rounds, their seconds, and the most subscribers. */
const RTT = { rtt: 40, rounds: 3, duration: 4, subscribers: 16 }
/** Rates of the crossover, in parts of the headline's, the rounds of each, and their seconds. */
const RATES = { parts: [1 / 6], rounds: 3, duration: 4 }
/** Of the idle section: rounds, and their seconds; polls take so much that one round tells it. */
const IDLE = { rounds: 6, duration: 3 }
/** Blocks that one server is measured in: how it was compiled is chance, and two of them show how much. */
const SERVER_BLOCKS = 4
/** Seconds of a round in which nobody reads. */
const ALONE = 4

export function pollVariant(interval: number): Variant {
  return { name: pollName(interval), kind: 'poll', interval, pause: false }
}

export function variantOf(kind: Kind | undefined, name: string = kind ?? PUBLISH_ONLY): Variant {
  return { name, kind, interval: 0, pause: false }
}

/** The same of another checkout. */
export function otherOf(variant: Variant, checkout: string): Variant {
  return { ...variant, name: variant.name + OTHER, checkout }
}

export function planOf(settings: Settings): Section[] {
  const { workload, variants, rounds, duration, quick, against } = settings
  const controls = quick
    ? []
    : [
        ...(isOurs(settings) ? [variantOf(undefined)] : []),
        ...(against === undefined && variants.some(({ kind }) => kind === 'ws')
          ? [variantOf('ws', AGAIN)]
          : []),
      ]
  const of = (
    name: string,
    title: string,
    own: readonly Variant[],
    load: Workload,
    length: { readonly rounds: number; readonly duration: number; readonly first?: number },
  ) => section({ name, title, variants: own, workload: load, ...length }, settings)
  const others = against === undefined ? [] : variants.map((variant) => otherOf(variant, against))
  const all = [...variants, ...others, ...controls]
  const headline = of('headline', 'Headline', all, workload, { rounds, duration })
  if (!isOurs(settings) || quick || against !== undefined) return [headline]

  const still = { ...workload, rate: 0 }
  const quiet = (part: readonly Variant[], count: number, first = 0) =>
    of('idle', 'Idle: nothing is published', [...part, variantOf(undefined)], still, {
      rounds: count,
      duration: Math.min(duration, IDLE.duration),
      first,
    })
  const held = variants.filter(({ kind }) => kind !== 'poll')
  const once = quiet(variants, 1)
  const rest = Math.min(rounds, IDLE.rounds) - 1
  const idle = { ...once, blocks: [...once.blocks, ...quiet(held, rest, 1).blocks] }
  const near = variants.filter(({ kind, interval }) => kind !== 'poll' || interval <= 1)
  const rates = RATES.parts.map((part) => {
    const rate = Number((workload.rate * part).toPrecision(3))
    return of(
      `rate ${rate}`,
      `At ${rate} messages/s`,
      [...near, variantOf(undefined)],
      { ...workload, rate },
      { ...RATES, duration: Math.min(duration, RATES.duration) },
    )
  })
  // A message to more of them keeps the proxy busy for longer than its lag may be.
  const subscribers = Math.min(workload.subscribers, RTT.subscribers)
  const far = workload.rtt > 0 ? [] : [{ ...workload, subscribers, rtt: RTT.rtt }]
  return [
    headline,
    ...far.map((each) =>
      of('rtt', `Through a delay of ${RTT.rtt} ms a round trip, to ${subscribers} subscribers`, near, each, {
        ...RTT,
        duration: Math.min(duration, RTT.duration),
      }),
    ),
    ...rates,
    idle,
  ]
}

interface Part {
  readonly name: string
  readonly title: string
  readonly variants: readonly Variant[]
  readonly workload: Workload
  readonly rounds: number
  readonly duration: number
  /** The first block's number. */
  readonly first?: number
}

function section(
  { name, title, variants, workload, rounds, duration, first = 0 }: Part,
  { seed, warmup, quick, rounds: most }: Settings,
): Section {
  const serverOf = (block: number) => (quick ? 0 : Math.floor(block / SERVER_BLOCKS))
  const blocks = Array.from({ length: Math.min(rounds, most) }, (_, index) => {
    const block = first + index
    const own = seedOf(seed, block)
    const round = (variant: Variant): RoundPlan => ({
      section: name,
      block,
      variant,
      workload,
      warmup,
      duration: variant.kind === undefined ? Math.min(duration, ALONE) : duration,
      seed: own,
      // What follows the headline goes on with the servers that it ended with.
      server: serverOf(name === 'headline' ? block : most - 1),
      lenient: quick,
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
 * For each channel, when its messages are planned, in microseconds after the start: a Poisson process, given how many
 * there are of all channels together, so that the rate is the one that is stated. The window's are the same for all
 * rounds of a block, however long they warm up.
 */
export function scheduleOf(plan: RoundPlan): Float64Array[] {
  const { workload, duration, seed } = plan
  const warmup = warmupOf(plan)
  const count = channelsOf(workload).names.length
  const all = Array.from({ length: count }, (): number[] => [])
  for (const [part, [start, length]] of [
    [0, warmup],
    [warmup, duration],
  ].entries()) {
    const random = randomOf(seedOf(seed, part + 2))
    for (const time of uniformTimes(random, Math.round(workload.rate * length! * count), length!)) {
      all[Math.floor(random() * count)]!.push((start! + time) * 1e6)
    }
  }
  return all.map((times) => Float64Array.from(times))
}

/** Roughly what a round takes, in seconds, without the heating of its server. */
export function secondsOf(plan: RoundPlan): number {
  return warmupOf(plan) + plan.duration + plan.variant.interval + 0.4
}

/** Servers that the rounds need, each heated once. */
export function serversOf(plans: readonly RoundPlan[]): number {
  return new Set(plans.map(({ variant, server }) => `${variant.name} ${server}`)).size
}
