/** Ratio of the widths of adjacent buckets. */
const WIDTH = 1.01
const LOG = Math.log(WIDTH)

/**
 * A quantile sketch with logarithmic buckets and a relative error of 1 %. Sketches of several rounds can be merged to
 * get percentiles over all of them.
 */
export class QuantileSketch {
  readonly #counts = new Map<number, number>()
  #total = 0

  /** @param pairs the concatenated `pairs` of any number of sketches */
  constructor(pairs: readonly number[] = []) {
    for (let i = 0; i < pairs.length; i += 2) this.#put(pairs[i]!, pairs[i + 1]!)
  }

  #put(bucket: number, times: number): void {
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + times)
    this.#total += times
  }

  /** @param time microseconds; values below 1 count as 1 */
  add(time: number): void {
    this.#put(Math.round(Math.log(Math.max(1, time)) / LOG), 1)
  }

  /** Returns pairs of bucket number and count. */
  pairs(): number[] {
    return [...this.#counts].sort(([a], [b]) => a - b).flat()
  }

  /** Returns a quantile in milliseconds, or NaN if empty. @param share from 0 to 1 */
  quantile(share: number): number {
    let left = share * this.#total
    for (const [bucket, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      left -= count
      if (left <= 0) return WIDTH ** bucket / 1000
    }
    return Number.NaN
  }
}
