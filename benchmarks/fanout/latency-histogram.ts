/** Counts values in buckets that grow by 2 %. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(1200)
  #total = 0

  record(value: number, times: number): void {
    this.#counts[Math.round(Math.log(Math.max(1, value)) / Math.log(1.02))]! += times
    this.#total += times
  }

  quantile(q: number): number {
    let left = q * this.#total
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count
      if (left <= 0) return 1.02 ** bucket
    }
    return Number.NaN
  }

  clear(): void {
    this.#counts.fill(0)
    this.#total = 0
  }
}
