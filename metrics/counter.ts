/** A counter with labels. */
export class Counter {
  readonly #counts = new Map<string, { readonly labels: Readonly<Record<string, string>>; count: number }>()

  add(labels: Readonly<Record<string, string>> = {}, by = 1): void {
    const key = Object.values(labels).join('\n')
    const known = this.#counts.get(key)
    if (known === undefined) this.#counts.set(key, { labels, count: by })
    else known.count += by
  }

  *[Symbol.iterator](): IterableIterator<readonly [Readonly<Record<string, string>>, number]> {
    for (const { labels, count } of this.#counts.values()) yield [labels, count]
  }
}
