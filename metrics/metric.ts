import type { Histogram } from './histogram.ts'

/** A value and its labels. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]

/** A metric. `updown` is a number of things, which several processes add up to; a `gauge` is any other value. */
export interface Metric {
  /** Words separated by dots. */
  readonly name: string
  readonly help: string
  /** As in UCUM: `By`, `s`, or a thing in braces. */
  readonly unit: string
  readonly type: 'counter' | 'updown' | 'gauge'
  readonly samples: Iterable<Sample>
}

/** A metric whose values are recorded one by one. */
export interface HistogramMetric extends Omit<Metric, 'type' | 'samples'> {
  readonly histogram: Histogram
}
