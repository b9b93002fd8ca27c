type Labels = Readonly<Record<string, string>>

interface Distribution {
  readonly labels: Labels
  /** Values per bucket, and above the last one. */
  readonly counts: number[]
  sum: number
  count: number
}

/** A histogram with labels. */
export class Histogram {
  /** The upper bounds of its buckets. */
  readonly bounds: readonly number[]
  /** Called with each value. */
  onRecord: ((value: number, labels: Labels) => void) | undefined
  readonly #all = new Map<string, Distribution>()

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
  }

  record(value: number, labels: Labels = {}): void {
    this.onRecord?.(value, labels)
    const key = Object.values(labels).join('\n')
    let one = this.#all.get(key)
    if (one === undefined) {
      one = { labels, counts: new Array(this.bounds.length + 1).fill(0), sum: 0, count: 0 }
      this.#all.set(key, one)
    }
    const index = this.bounds.findIndex((bound) => value <= bound)
    one.counts[index === -1 ? this.bounds.length : index]!++
    one.sum += value
    one.count++
  }

  [Symbol.iterator](): IterableIterator<Readonly<Distribution>> {
    return this.#all.values()
  }
}
