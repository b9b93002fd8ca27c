import type { Cursor } from '../cursor.ts'

/** Maximum number of names. */
const MOST = 256

/**
 * The generations of a stream, whose ids are `generation-seq`. Each epoch has one generation, and the entry that begins
 * it contains its name. So this class knows the name and the start of each generation whose first entry was read.
 */
export class Generations {
  readonly #names = new Map<number, string>()
  readonly #numbers = new Map<string, number>()
  /** The generations that were read, in order, with the seq after which each begins. */
  #begins: { readonly generation: number; readonly after: number }[] = []

  /** The highest known generation. */
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

  /** The epoch of a generation, or the next known one, which shares its history. */
  nameOf(generation: number): string {
    const own = this.#names.get(generation)
    if (own !== undefined) return own
    const later = [...this.#names.keys()].filter((each) => each > generation)
    return this.#names.get(Math.min(...later)) ?? ''
  }

  /** Notes an entry. Its generation begins after this seq, unless it has begun before. */
  begin(generation: number, after: number): void {
    if (this.#begins.at(-1)?.generation === generation) return
    this.#begins = [
      ...this.#begins.filter((each) => each.generation < generation && each.after <= after),
      { generation, after },
    ].slice(-MOST)
  }

  /** The stream id of a place. */
  idOf({ epoch, seq }: Cursor): string | undefined {
    const generation = this.#numbers.get(epoch)
    return generation === undefined ? undefined : `${generation}-${seq}`
  }

  /** The smallest stream id after a seq, among the entries that were read; '' if none was. */
  idAfter(seq: number): string {
    const own = this.#begins.findLast(({ after }) => after <= seq)
    return own === undefined || seq === 0 ? '' : `${own.generation}-${seq + 1}`
  }
}
