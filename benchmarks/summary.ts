import { atFloor } from './gates.ts'
import { AGAIN, PUBLISH_ONLY, type Section } from './plan.ts'
import type { Latency, Measured } from './record.ts'
import type { Outcome } from './run.ts'
import {
  type Comparison,
  compare,
  type Estimate,
  meanEstimate,
  medianEstimate,
  slopeOf,
} from './statistics.ts'

/** The figures of one variant in one section, over its rounds. */
export interface Summary {
  readonly section: string
  readonly variant: string
  readonly rounds: number
  readonly publishes: number
  readonly deliveries: number
  /** Milliseconds. The mean is over rounds; a percentile is the median round's; the maximum is of all. */
  readonly latency: Percentiles | null
  readonly accepted: Percentiles | null
  readonly publish: Percentiles | null
  /** Whether the p50 is below five lags of the publisher. */
  readonly atFloor: boolean
  readonly requests: Estimate | null
  readonly emptyShare: Estimate | null
  readonly connections: number
  readonly bytes: Record<keyof NonNullable<Measured['bytes']>, Estimate | null> | null
  readonly cpu: {
    /** Microseconds a delivery, what publishing takes included; of an idle subscriber and second; of one delivery more. */
    readonly total: Estimate | null
    readonly idle: Estimate | null
    readonly marginal: number | null
    /** Microseconds a second. */
    readonly perSecond: Estimate | null
    /** Microseconds a subscriber and second, without what the same takes with nobody there, where that was measured. */
    readonly own: Estimate | null
  }
  readonly serverUtilisation: number | null
  readonly serverDelayP99: number | null
  readonly loadUtilisation: number
  readonly loadDelayP99: number
  /** The share of the time for which the load was ready to run and had no core. */
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

export function summariesOf({ sections, rounds, settings }: Outcome): Summary[] {
  return sections.flatMap((section) =>
    namesOf(section).flatMap((variant) => {
      const own = rounds.filter((round) => round.section === section.name && round.variant === variant)
      if (own.length === 0) return []
      const { subscribers } = section.blocks[0]![0]!.workload
      return [summaryOf(own, rounds, subscribers, settings.workload.subscribers)]
    }),
  )
}

/** In the order in which they are shown, whatever the order in which they ran. */
function namesOf({ blocks }: Section): string[] {
  const names = blocks[0]!.map(({ variant }) => variant.name)
  const place = (name: string) => {
    if (name.startsWith('poll')) return /\d ms/.test(name) ? 0 : 1
    return ['longpoll', 'sse', 'ws', AGAIN, PUBLISH_ONLY].indexOf(name) + 2
  }
  return names.sort((a, b) => place(a) - place(b) || a.localeCompare(b, 'en', { numeric: true }))
}

/** @param subscribers of this section @param idle of the one in which nothing is published */
function summaryOf(
  own: readonly Measured[],
  all: readonly Measured[],
  subscribers: number,
  idle: number,
): Summary {
  const { section, variant } = own[0]!
  const estimate = (figure: (round: Measured) => number | null) => {
    const values = own.map(figure).filter((value) => value !== null)
    return values.length === 0 ? null : meanEstimate(values)
  }
  const worst = (figure: (round: Measured) => number | null) => {
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
    latency: percentiles(own.map(({ latency }) => latency)),
    accepted: percentiles(own.map(({ accepted }) => accepted)),
    publish: percentiles(own.map(({ publish }) => publish)),
    atFloor: own.some(atFloor),
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
    serverDelayP99: worst(({ server }) => server?.delayP99 ?? null),
    loadUtilisation: worst(({ load }) => load.utilisation)!,
    loadDelayP99: worst(({ load }) => load.delayP99)!,
    loadWaited: worst(({ load }) => load.waited)!,
  }
}

function sum(rounds: readonly Measured[], figure: (round: Measured) => number): number {
  return rounds.reduce((total, round) => total + figure(round), 0)
}

/** Of one round, beside that of its block in which nobody was there; in a run that has none, as it is. */
function ownOf(
  { section, block, variant, cpuPerSecond }: Measured,
  all: readonly Measured[],
  subscribers: number,
): number | null {
  if (cpuPerSecond === null || variant === PUBLISH_ONLY) return null
  const nobody = all.find(
    (round) => round.section === section && round.block === block && round.variant === PUBLISH_ONLY,
  )
  if (nobody === undefined && all.some((round) => round.variant === PUBLISH_ONLY)) return null
  return (cpuPerSecond - (nobody?.cpuPerSecond ?? 0)) / subscribers
}

/** Microseconds of CPU that an idle subscriber takes in a second, where that was measured. */
function idleOf(variant: string, all: readonly Measured[], subscribers: number): Estimate | null {
  const values = all
    .filter((round) => round.section === 'idle' && round.variant === variant)
    .map((round) => ownOf(round, all, subscribers))
    .filter((value) => value !== null)
  return values.length === 0 ? null : meanEstimate(values)
}

/** The slope of CPU over deliveries; it needs three rates. */
function marginalOf(rounds: readonly Measured[]): number | null {
  const points = rounds.flatMap(({ section, cpuPerSecond, deliveries, seconds }) =>
    section === 'idle' || cpuPerSecond === null
      ? []
      : [{ section, point: [deliveries / seconds, cpuPerSecond] as const }],
  )
  const rates = new Set(points.map(({ section }) => section))
  return rates.size < 3 || points.every(({ point }) => point[0] === 0)
    ? null
    : slopeOf(points.map(({ point }) => point))
}

function percentiles(rounds: readonly (Latency | null)[]): Percentiles | null {
  const known = rounds.filter((round) => round !== null)
  if (known.length === 0) return null
  const median = (figure: (latency: Latency) => number | null) => {
    const values = known.map(figure).filter((value) => value !== null)
    return values.length === known.length ? medianEstimate(values) : null
  }
  return {
    mean: meanEstimate(known.map(({ mean }) => mean)),
    p50: median(({ p50 }) => p50)!,
    p90: median(({ p90 }) => p90)!,
    p99: median(({ p99 }) => p99),
    p999: median(({ p999 }) => p999),
    max: Math.max(...known.map(({ max }) => max)),
  }
}

/** One figure of two variants of a section, block by block. */
export interface Ranked {
  readonly section: string
  readonly figure: 'latency' | 'cpu' | 'bytes'
  readonly variant: string
  readonly against: string
  readonly comparison: Comparison
}

const FIGURES: Record<Ranked['figure'], (round: Measured) => number | null> = {
  latency: ({ latency }) => latency?.mean ?? null,
  cpu: ({ cpuPerDelivery }) => cpuPerDelivery,
  bytes: ({ bytes }) => bytes?.both ?? null,
}

/** Every variant against ws, ws itself among them: that is the noise floor. A quick run ranks nothing. */
export function rankingOf({ sections, rounds, settings }: Outcome): Ranked[] {
  const first = sections[0]!
  if (settings.quick) return []
  const of = (name: string) =>
    rounds.filter((round) => round.section === first.name && round.variant === name)
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
