import type { Histogram } from './histogram.ts'
import { Sketch } from './sketch.ts'

/** Milliseconds. A percentile that too few publishes carry is null. */
export interface Latency {
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number | null
  readonly p999: number | null
  readonly max: number
  /** At the percentiles of CURVE, as far as the publishes carry them. */
  readonly curve: readonly number[]
  /** Buckets of a sketch of them all (sketch.ts), and how many are in each: two numbers a bucket. */
  readonly sketch: readonly number[]
}

/**
 * Publishes from which on a percentile of a round is known, so that one lies above it. A thousand readers of one message
 * are not a thousand samples. Over all rounds ten have to lie above it (summary.ts).
 */
export const ENOUGH = { p99: 100, p999: 1000 }

/** Where the latency's curve is drawn. */
export const CURVE = [0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]

/** Latencies of one kind. */
export class Sample {
  readonly #histogram: Histogram
  readonly #sketch = new Sketch()
  #count = 0
  #sum = 0
  #max = 0

  constructor(histogram: () => Histogram) {
    this.#histogram = histogram()
  }

  /** @param time microseconds */
  add(time: number): void {
    this.#count++
    this.#sum += time
    this.#max = Math.max(this.#max, time)
    this.#histogram.recordValue(Math.max(0, Math.round(time)))
    this.#sketch.add(time)
  }

  summary(publishes: number): Latency | null {
    if (this.#count === 0) return null
    const at = (percentile: number) => this.#histogram.getValueAtPercentile(percentile) / 1000
    return {
      mean: this.#sum / this.#count / 1000,
      p50: at(50),
      p90: at(90),
      p99: publishes >= ENOUGH.p99 ? at(99) : null,
      p999: publishes >= ENOUGH.p999 ? at(99.9) : null,
      max: this.#max / 1000,
      // Above the last one there must be a publish.
      curve: CURVE.filter((p) => publishes * (1 - p) >= 1).map((p) => at(p * 100)),
      sketch: this.#sketch.pairs(),
    }
  }
}
