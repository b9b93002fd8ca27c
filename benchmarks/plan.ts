import { pollName } from './model/costs.ts'
import { randomOf, seedOf, shuffled, uniformTimes } from './model/random.ts'
import type { Profile } from './profiles.ts'
import type { Transport } from './readers/reader.ts'

/** Plans a run before it starts. The same seed gives the same plan. */

/** A transport as it is measured. */
export interface Variant {
  readonly name: string
  /** Undefined: no subscribers, to measure publishing alone. */
  readonly kind: Transport | undefined
  /** Polling interval in seconds. */
  readonly interval: number
  /** Whether the interval starts at the response instead of the request. */
  readonly pause: boolean
  /** The checkout that provides the plugin. Undefined: this one. */
  readonly checkout?: string | undefined
}

export interface Workload {
  readonly subscribers: number
  /** One channel for all subscribers, or one each. */
  readonly channels: 'shared' | 'each'
  /** Messages per second and channel. */
  readonly rate: number
  /** Bytes. */
  readonly payload: number
  /** Seconds that the server holds a long poll. */
  readonly wait: number
  /** Connection lifetime in seconds, over which its setup cost is spread. */
  readonly session: number
  readonly profile: Profile
  /** Milliseconds that the delay proxy adds to a round trip. 0: no proxy. */
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
  /** The seed of the schedule, equal for all rounds of a block. */
  readonly seed: number
  /** The index of the variant's server. */
  readonly server: number
  /** Whether the wide bounds of a quick run apply. */
  readonly lenient: boolean
}

export interface Section {
  readonly name: string
  readonly title: string
  /** Blocks of rounds to compare, in execution order. */
  readonly blocks: readonly (readonly RoundPlan[])[]
}

export interface Settings {
  readonly workload: Workload
  readonly variants: readonly Variant[]
  readonly rounds: number
  readonly warmup: number
  readonly duration: number
  /** Requests or deliveries that warm a server up before its first round. */
  readonly heat: number
  /** Time limit for repeated rounds. */
  readonly minutes: number
  readonly seed: number
  readonly quick: boolean
  /** The app under test: a running app, or one that an adapter starts. Undefined for both: this package's app. */
  readonly url: URL | undefined
  readonly target: string | undefined
  /** Another checkout of this package, run in alternation with this one. */
  readonly against: string | undefined
}

/** Whether the run measures this package's app, which exposes its internal times. */
export function isOwnServer({ url, target }: Pick<Settings, 'url' | 'target'>): boolean {
  return url === undefined && target === undefined
}

/** A/A test: the second measurement of the same variant in a block. It shows the noise floor. */
export const AA_CONTROL = 'ws, repeated'
/** The suffix of another checkout's variants. */
export const OTHER_SUFFIX = ', other'
export const PUBLISH_ONLY = 'publish only'

/** The section with the proxy: round trip in milliseconds, rounds, seconds, and maximum subscribers. */
const RTT = { rtt: 40, rounds: 3, duration: 4, subscribers: 16 }
/** Lower rates, as parts of the rate of the main workload, with their rounds and seconds. */
const RATES = { parts: [1 / 6], rounds: 3, duration: 4 }
/** Rounds of the idle section and their seconds. Polling needs only one round. */
const IDLE = { rounds: 6, duration: 3 }
/** Blocks per server. JIT compilation varies from process to process; two servers show by how much. */
const SERVER_BLOCKS = 4
/** Seconds of a round without subscribers. */
const ALONE = 4

export function pollVariant(interval: number): Variant {
  return { name: pollName(interval), kind: 'poll', interval, pause: false }
}

export function variantOf(kind: Transport | undefined, name: string = kind ?? PUBLISH_ONLY): Variant {
  return { name, kind, interval: 0, pause: false }
}

/** Returns the same variant of another checkout. */
export function otherCheckoutVariant(variant: Variant, checkout: string): Variant {
  return { ...variant, name: variant.name + OTHER_SUFFIX, checkout }
}

export function planOf(settings: Settings): Section[] {
  const { workload, variants, rounds, duration, quick, against } = settings
  const controls = quick
    ? []
    : [
        ...(isOwnServer(settings) ? [variantOf(undefined)] : []),
        ...(against === undefined && variants.some(({ kind }) => kind === 'ws')
          ? [variantOf('ws', AA_CONTROL)]
          : []),
      ]
  const of = (
    name: string,
    title: string,
    own: readonly Variant[],
    load: Workload,
    length: { readonly rounds: number; readonly duration: number; readonly first?: number },
  ) => section({ name, title, variants: own, workload: load, ...length }, settings)
  const others =
    against === undefined ? [] : variants.map((variant) => otherCheckoutVariant(variant, against))
  const all = [...variants, ...others, ...controls]
  const headline = of('headline', 'Main workload', all, workload, { rounds, duration })
  if (!isOwnServer(settings) || quick || against !== undefined) return [headline]

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
  // Writing a message to more subscribers would make the proxy late.
  const subscribers = Math.min(workload.subscribers, RTT.subscribers)
  const far = workload.rtt > 0 ? [] : [{ ...workload, subscribers, rtt: RTT.rtt }]
  return [
    headline,
    ...far.map((each) =>
      of('rtt', `Added round-trip time of ${RTT.rtt} ms, ${subscribers} subscribers`, near, each, {
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
  /** The number of the first block. */
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
      // Sections after the main workload reuse the servers of its last block.
      server: serverOf(name === 'headline' ? block : most - 1),
      lenient: quick,
    })
    return shuffled(randomOf(seedOf(own, 1)), variants).map(round)
  })
  return { name, title, blocks }
}

/** Returns the channel names, and the channel of each subscriber. */
export function channelsOf({ channels, subscribers }: Workload): { names: string[]; of: number[] } {
  const names = Array.from({ length: channels === 'shared' ? 1 : subscribers }, (_, i) => `bench-${i}`)
  const of = Array.from({ length: subscribers }, (_, i) => i % names.length)
  return { names, of }
}

/** Returns the seconds before the window. Polling needs one full cycle. */
export function warmupOf({ warmup, variant }: RoundPlan): number {
  return Math.max(warmup, variant.interval)
}

/**
 * Returns the planned times of each channel in microseconds after the start. The Poisson process has a fixed total
 * count, so the rate is exact. The window has the same times in all rounds of a block, regardless of the warm-up.
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

/** Estimates the seconds of a round, excluding the warm-up of its server. */
export function secondsOf(plan: RoundPlan): number {
  return warmupOf(plan) + plan.duration + plan.variant.interval + 0.4
}

/** Counts the servers that the rounds need. Each is warmed up once. */
export function serversOf(plans: readonly RoundPlan[]): number {
  return new Set(plans.map(({ variant, server }) => `${variant.name} ${server}`)).size
}
