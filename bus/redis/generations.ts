import type { Cursor } from '../cursor.ts'

/** Names that are kept. */
const MOST = 256

/**
 * The ids of a stream are `generation-seq`. An epoch has one generation, and its name stands in the turn that began it;
 * so this knows the names of all generations whose turns were read, and where each begins.
 */
export class Generations {
  readonly #names = new Map<number, string>()
  readonly #numbers = new Map<string, number>()
  /** Which generations follow each other, and the seq behind which each begins, in what was read. */
  #begins: { readonly generation: number; readonly after: number }[] = []

  /** The highest that is known. */
  get last(): number {
    return Math.max(0, ...this.#names.keys())
  }

  name(generation: number, epoch: string): void {
    if (this.#names.has(generation)) return
    this.#names.set(generation, epoch)
    this.#numbers.set(epoch, generation)
    if (this.#names.size <= MOST) return
    const [first, name] = this.#names.entries().next().value!
    this.#names.delete(first)
    this.#numbers.delete(name)
  }

  /** The epoch of a generation, or the first behind it whose name is known: it has all in common with that one. */
  nameOf(generation: number): string {
    const own = this.#names.get(generation)
    if (own !== undefined) return own
    const later = [...this.#names.keys()].filter((each) => each > generation)
    return this.#names.get(Math.min(...later)) ?? ''
  }

  /** An entry was read: its generation begins behind this seq, unless it has begun before. */
  begin(generation: number, after: number): void {
    if (this.#begins.at(-1)?.generation === generation) return
    this.#begins = [
      ...this.#begins.filter((each) => each.generation < generation && each.after <= after),
      { generation, after },
    ].slice(-MOST)
  }

  /** The id of a place. */
  idOf({ epoch, seq }: Cursor): string | undefined {
    const generation = this.#numbers.get(epoch)
    return generation === undefined ? undefined : `${generation}-${seq}`
  }

  /** The least id of what stands behind a seq, in what was read; '' where nothing was. */
  idAfter(seq: number): string {
    const own = this.#begins.findLast(({ after }) => after <= seq)
    return own === undefined || seq === 0 ? '' : `${own.generation}-${seq + 1}`
  }
}
