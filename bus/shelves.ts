import type { Entry } from './message.ts'
import type { Keep, Shelf } from './shelf.ts'

/** Last character of a rule's name that is a prefix. */
const SEPARATOR = /[._:~-]$/

/** All messages of a log: one shelf per rule, and one for all other channels. */
export class Shelves {
  readonly #others: Shelf
  readonly #named = new Map<string, Shelf>()
  /** Rules by prefix, longest first. */
  readonly #prefixed: readonly (readonly [prefix: string, shelf: Shelf])[]
  readonly #all: readonly Shelf[]

  /** @param rules by channel name, or by prefix if the name ends with one of `. _ : ~ -` */
  constructor(keep: Keep, rules: Readonly<Record<string, Partial<Keep>>>, make: (keep: Keep) => Shelf) {
    this.#others = make({ messages: keep.messages, age: keep.age })
    const prefixed: [string, Shelf][] = []
    for (const [name, rule] of Object.entries(rules)) {
      const shelf = make({ messages: rule.messages ?? keep.messages, age: rule.age ?? keep.age })
      if (SEPARATOR.test(name)) prefixed.push([name, shelf])
      else this.#named.set(name, shelf)
    }
    this.#prefixed = prefixed.sort(([a], [b]) => b.length - a.length)
    this.#all = [this.#others, ...this.#named.values(), ...prefixed.map(([, shelf]) => shelf)]
  }

  /** The shelf of a channel. */
  of(channel: string): Shelf {
    const named = this.#named.get(channel)
    if (named !== undefined) return named
    for (const [prefix, shelf] of this.#prefixed) if (channel.startsWith(prefix)) return shelf
    return this.#others
  }

  get size(): number {
    let size = 0
    for (const shelf of this.#all) size += shelf.size
    return size
  }

  /** All messages, in no order. */
  *entries(): IterableIterator<Entry> {
    for (const shelf of this.#all) {
      for (let entry = shelf.first; entry !== undefined; entry = entry.behind) yield entry
    }
  }

  /** The oldest message of all shelves. */
  get first(): Entry | undefined {
    let first: Entry | undefined
    for (const { first: each } of this.#all) if (each && !(first && first.seq < each.seq)) first = each
    return first
  }

  /** The youngest message of all shelves. */
  get last(): Entry | undefined {
    let last: Entry | undefined
    for (const { last: each } of this.#all) if (each && !(last && last.seq > each.seq)) last = each
    return last
  }

  cut(end: number): void {
    for (const shelf of this.#all) shelf.cut(end)
  }

  clear(): void {
    for (const shelf of this.#all) shelf.clear()
  }

  close(): void {
    for (const shelf of this.#all) shelf.close()
  }
}
