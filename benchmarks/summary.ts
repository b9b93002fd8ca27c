import { isUpperBound, undisturbedOf } from './failures.ts'
import type { Latency } from './latency.ts'
import { AA_CONTROL, OTHER_SUFFIX, PUBLISH_ONLY, type Section } from './plan.ts'
import { QuantileSketch } from './quantile-sketch.ts'
import type { RoundResult } from './round-result.ts'
import type { Outcome } from './run.ts'
import { type Comparison, compare, type Estimate, medianEstimate, slopeOf } from './statistics.ts'

/** The figures of one variant in one section, over its rounds. */
export interface Summary {
  readonly section: string
  readonly variant: string
  /** Rounds that the figures cover: the undisturbed ones if there are enough. */
  readonly rounds: number
  /** Published messages per second and channel. */
  readonly rate: number
  readonly publishes: number
  readonly deliveries: number
  /** Milliseconds. The mean is that of the median round; percentiles and the maximum cover all rounds. */
  readonly latency: Percentiles | null
  readonly accepted: Percentiles | null
  readonly publish: Percentiles | null
  /** Whether the p50 is less than five times the publisher's lag. */
  readonly atFloor: boolean
  readonly requests: Estimate | null
  readonly emptyShare: Estimate | null
  readonly connections: number
  readonly bytes: Record<keyof NonNullable<RoundResult['bytes']>, Estimate | null> | null
  readonly cpu: {
    /**
     * Microseconds per delivery including publishing, per second of an idle subscriber, and per additional delivery.
     */
    readonly total: Estimate | null
    readonly idle: Estimate | null
    readonly marginal: number | null
    /** Microseconds per second. */
    readonly perSecond: Estimate | null
    /** Microseconds per second and subscriber, beyond a server without subscribers, if measured. */
    readonly own: Estimate | null
  }
  readonly serverUtilisation: number | null
  readonly loadUtilisation: number
  /** The share of time in which the load was runnable without a core. */
  readonly loadWaited: number
}

export interface Percentiles {
  readonly mean: Estimate
  readonly p50: Estimate
  readonly p90: Estimate
  readonly p99: Estimate | null
  readonly p999: Estimate | null
  readonly max: number
}

export function summariesOf({ sections, rounds: all, settings }: Outcome): Summary[] {
  const rounds = sections.flatMap(({ name, blocks }) =>
    [...new Set(blocks.flat().map(({ variant }) => variant.name))].flatMap((variant) =>
      undisturbedOf(all.filter((round) => round.section === name && round.variant === variant)),
    ),
  )
  return sections.flatMap((section) =>
    namesOf(section).flatMap((variant) => {
      const own = rounds.filter((round) => round.section === section.name && round.variant === variant)
      if (own.length === 0) return []
      const { subscribers, channels } = section.blocks[0]![0]!.workload
      const summary = summaryOf(own, rounds, subscribers, settings.workload.subscribers)
      const seconds = sum(own, (round) => round.seconds) * (channels === 'shared' ? 1 : subscribers)
      return [{ ...summary, rate: summary.publishes / seconds }]
    }),
  )
}

/** Returns the variants in display order. */
function namesOf({ blocks }: Section): string[] {
  const names = blocks[0]!.map(({ variant }) => variant.name)
  const place = (own: string) => {
    const name = own.replace(OTHER_SUFFIX, '')
    if (name.startsWith('poll')) return /\d ms/.test(name) ? 0 : 1
    return ['longpoll', 'sse', 'ws', AA_CONTROL, PUBLISH_ONLY].indexOf(name) + 2
  }
  return names.sort((a, b) => place(a) - place(b) || a.localeCompare(b, 'en', { numeric: true }))
}

/** @param subscribers of this section @param idle CPU from the idle section */
function summaryOf(
  own: readonly RoundResult[],
  all: readonly RoundResult[],
  subscribers: number,
  idle: number,
): Omit<Summary, 'rate'> {
  const { section, variant } = own[0]!
  const estimate = (figure: (round: RoundResult) => number | null) => {
    const values = own.map(figure).filter((value) => value !== null)
    return values.length === 0 ? null : medianEstimate(values)
  }
  const worst = (figure: (round: RoundResult) => number | null) => {
    const values = own.map(figure).filter((value) => value !== null)
    return values.length === 0 ? null : Math.max(...values)
  }
  const bytes = own[0]!.bytes
  const same = all.filter((round) => round.variant === variant && round.section !== 'rtt')
  return {
    section,
    variant,
    rounds: own.length,
    publishes: sum(own, ({ publishes }) => publishes),
    deliveries: sum(own, ({ deliveries }) => deliveries),
    latency: percentiles(own, 'latency'),
    accepted: percentiles(own, 'accepted'),
    publish: percentiles(own, 'publish'),
    atFloor: own.some(isUpperBound),
    requests: estimate(({ requests }) => requests),
    emptyShare: estimate(({ emptyShare }) => emptyShare),
    connections: own[0]!.connections,
    bytes:
      bytes === null
        ? null
        : (Object.fromEntries(
            (Object.keys(bytes) as (keyof typeof bytes)[]).map((key) => [
              key,
              estimate((round) => round.bytes?.[key] ?? null),
            ]),
          ) as Summary['bytes']),
    cpu: {
      total: estimate(({ cpuPerDelivery }) => cpuPerDelivery),
      idle: idleOf(variant, all, idle),
      marginal: marginalOf(same),
      perSecond: estimate(({ cpuPerSecond }) => cpuPerSecond),
      own: estimate((round) => ownOf(round, all, subscribers)),
    },
    serverUtilisation: worst(({ server }) => server?.utilisation ?? null),
    loadUtilisation: worst(({ load }) => load.utilisation)!,
    loadWaited: worst(({ load }) => load.waited)!,
  }
}

function sum(rounds: readonly RoundResult[], figure: (round: RoundResult) => number): number {
  return rounds.reduce((total, round) => total + figure(round), 0)
}

/**
 * Subtracts the round without subscribers in the same block. If the run has no such rounds, returns the CPU unchanged.
 */
function ownOf(
  { section, block, variant, cpuPerSecond }: RoundResult,
  all: readonly RoundResult[],
  subscribers: number,
): number | null {
  if (cpuPerSecond === null || variant === PUBLISH_ONLY) return null
  const nobody = all.find(
    (round) => round.section === section && round.block === block && round.variant === PUBLISH_ONLY,
  )
  if (nobody === undefined && all.some((round) => round.variant === PUBLISH_ONLY)) return null
  return (cpuPerSecond - (nobody?.cpuPerSecond ?? 0)) / subscribers
}

/** Rounds that an estimate of idle CPU requires: a single one was ten times too high, without another sign of it. */
const IDLE_ROUNDS = 3

/** Returns microseconds of CPU per second of an idle subscriber, if measured often enough. */
function idleOf(variant: string, all: readonly RoundResult[], subscribers: number): Estimate | null {
  const values = all
    .filter((round) => round.section === 'idle' && round.variant === variant)
    .map((round) => ownOf(round, all, subscribers))
    .filter((value) => value !== null)
  return values.length < IDLE_ROUNDS ? null : medianEstimate(values)
}

/** Returns the slope of CPU over deliveries. It needs two rates. */
function marginalOf(rounds: readonly RoundResult[]): number | null {
  const points = rounds.flatMap(({ section, cpuPerSecond, deliveries, seconds }) =>
    section === 'idle' || cpuPerSecond === null
      ? []
      : [{ section, point: [deliveries / seconds, cpuPerSecond] as const }],
  )
  const rates = new Set(points.map(({ section }) => section))
  return rates.size < 2 || points.every(({ point }) => point[0] === 0)
    ? null
    : slopeOf(points.map(({ point }) => point))
}

/** Minimum publishes above a percentile, over all rounds. */
const ABOVE = 10

function percentiles(
  own: readonly RoundResult[],
  leg: 'latency' | 'accepted' | 'publish',
): Percentiles | null {
  const known = own.flatMap((round) => {
    const latency = round[leg]
    return latency === null ? [] : [{ latency, publishes: round.publishes }]
  })
  if (known.length === 0) return null
  const publishes = known.reduce((total, one) => total + one.publishes, 0)
  const all = new QuantileSketch(known.flatMap(({ latency }) => latency.sketch))
  /** The quantile over all rounds. The interval spans the rounds' own quantiles by order statistics. */
  const at = (share: number, figure: (latency: Latency) => number | null): Estimate => {
    const rounds = known.map(({ latency }) => figure(latency)).filter((value) => value !== null)
    const { low, high } = rounds.length === known.length ? medianEstimate(rounds) : { low: null, high: null }
    const value = all.quantile(share)
    return { value, low: low && Math.min(low, value), high: high && Math.max(high, value) }
  }
  const rare = (share: number, figure: (latency: Latency) => number | null) =>
    Math.round(publishes * (1 - share)) >= ABOVE ? at(share, figure) : null
  return {
    mean: medianEstimate(known.map(({ latency }) => latency.mean)),
    p50: at(0.5, ({ p50 }) => p50),
    p90: at(0.9, ({ p90 }) => p90),
    p99: rare(0.99, ({ p99 }) => p99),
    p999: rare(0.999, ({ p999 }) => p999),
    max: Math.max(...known.map(({ latency }) => latency.max)),
  }
}

/** A comparison of two variants in one section, block by block. */
export interface Ranked {
  readonly section: string
  readonly figure: 'latency' | 'cpu' | 'bytes'
  readonly variant: string
  readonly against: string
  readonly comparison: Comparison
}

const FIGURES: Record<Ranked['figure'], (round: RoundResult) => number | null> = {
  latency: ({ latency }) => latency?.mean ?? null,
  cpu: ({ cpuPerDelivery }) => cpuPerDelivery,
  bytes: ({ bytes }) => bytes?.both ?? null,
}

/** Compares every variant with ws. The second measurement of ws shows the noise floor. A quick run has no ranking. */
export function rankingOf({ sections, rounds, settings }: Outcome): Ranked[] {
  const first = sections[0]!
  if (settings.quick) return []
  const of = (name: string) =>
    undisturbedOf(rounds.filter((round) => round.section === first.name && round.variant === name))
  const against = of('ws')
  return (Object.keys(FIGURES) as Ranked['figure'][]).flatMap((figure) =>
    namesOf(first).flatMap((variant) => {
      if (variant === 'ws') return []
      const pairs = of(variant).flatMap((round) => {
        const other = against.find(({ block }) => block === round.block)
        const one = FIGURES[figure](round)
        const two = other === undefined ? null : FIGURES[figure](other)
        return one === null || two === null || one <= 0 || two <= 0 ? [] : [[one, two] as const]
      })
      if (pairs.length === 0) return []
      const comparison = compare(
        pairs.map((pair) => pair[0]),
        pairs.map((pair) => pair[1]),
      )
      return [{ section: first.name, figure, variant, against: 'ws', comparison }]
    }),
  )
}
