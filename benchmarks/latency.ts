import type { HdrHistogram } from './hdr-histogram.ts'
import { QuantileSketch } from './quantile-sketch.ts'

/** Latencies in milliseconds. A percentile is null if there are too few publishes. */
export interface Latency {
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number | null
  readonly p999: number | null
  readonly max: number
  /** Quantiles at QUANTILES, as far as there are enough publishes. */
  readonly curve: readonly number[]
  /** The buckets of a quantile sketch (quantile-sketch.ts): pairs of bucket number and count. */
  readonly sketch: readonly number[]
}

/**
 * Minimum publishes for a percentile of a round, so that at least one publish lies above it. A thousand readers of one
 * message are not a thousand samples. A percentile over all rounds needs ten publishes above it (summary.ts).
 */
export const MIN_PUBLISHES = { p99: 100, p999: 1000 }

/** Quantiles of the latency curve. */
export const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]

/** Collects latencies. */
export class LatencyRecorder {
  readonly #histogram: HdrHistogram
  readonly #sketch = new QuantileSketch()
  #count = 0
  #sum = 0
  #max = 0

  constructor(histogram: () => HdrHistogram) {
    this.#histogram = histogram()
  }

  get count(): number {
    return this.#count
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
      p99: publishes >= MIN_PUBLISHES.p99 ? at(99) : null,
      p999: publishes >= MIN_PUBLISHES.p999 ? at(99.9) : null,
      max: this.#max / 1000,
      // At least one publish has to lie above the last quantile.
      curve: QUANTILES.filter((p) => publishes * (1 - p) >= 1).map((p) => at(p * 100)),
      sketch: this.#sketch.pairs(),
    }
  }
}
