/** A bucket is so many times as wide as the one before it. */
const WIDTH = 1.01
const LOG = Math.log(WIDTH)

/**
 * Counts of times by their logarithm, in buckets of a hundredth of the value: what rounds keep of their delays, so that
 * a percentile can be told of all of them together.
 */
export class Sketch {
  readonly #counts = new Map<number, number>()
  #total = 0

  /** @param pairs as `pairs` gives them, of several sketches one after the other */
  constructor(pairs: readonly number[] = []) {
    for (let i = 0; i < pairs.length; i += 2) this.#put(pairs[i]!, pairs[i + 1]!)
  }

  #put(bucket: number, times: number): void {
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + times)
    this.#total += times
  }

  /** @param time microseconds; what is below one counts as one */
  add(time: number): void {
    this.#put(Math.round(Math.log(Math.max(1, time)) / LOG), 1)
  }

  /** Each bucket's number and its count. */
  pairs(): number[] {
    return [...this.#counts].sort(([a], [b]) => a - b).flat()
  }

  /** Milliseconds. NaN of none. @param share from 0 to 1 */
  quantile(share: number): number {
    let left = share * this.#total
    for (const [bucket, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      left -= count
      if (left <= 0) return WIDTH ** bucket / 1000
    }
    return Number.NaN
  }
}
