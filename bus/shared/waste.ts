/** Places that are counted together. */
const PART = 1024

/** Bytes of what is not kept that may always stand in the tail. */
const FREE = 256 * 1024

/** What is kept costs this part of its bytes to take out of the tail: it has to stand elsewhere then. */
const COST = 1 / 2

/** A message that is kept. */
export interface Weighed {
  readonly seq: number
  readonly weight: number
}

/** What stands in a log's tail and is not kept any more, and how much of the tail may go for it. */
export class Waste {
  /** Bytes, by the place. */
  readonly #parts = new Map<number, number>()
  #bytes = 0

  add({ seq, weight }: Weighed): void {
    const part = Math.floor(seq / PART)
    this.#parts.set(part, (this.#parts.get(part) ?? 0) + weight)
    this.#bytes += weight
  }

  /** The tail begins behind one place, and ends at another. */
  between(start: number, head: number): void {
    for (const part of this.#parts.keys()) {
      if ((part + 1) * PART - 1 <= start || part * PART > head) this.#drop(part)
    }
  }

  #drop(part: number): void {
    this.#bytes -= this.#parts.get(part) ?? 0
    this.#parts.delete(part)
  }

  /** Whether there is so much that it is worth a look at all that is kept. @param kept bytes */
  isMuch(kept: number): boolean {
    return this.#bytes > kept + FREE
  }

  /**
   * Finds where the tail is best cut, and counts no more what goes. Behind it every beginning of the tail has less of what may go than of what is kept, so
   * that the whole has no more than twice what is kept; and what must be moved is no more than twice what goes.
   * @param kept all that is kept, in any order
   * @returns the last seq before it
   */
  cut(kept: Iterable<Weighed>, start: number, head: number): number {
    const parts = new Map(this.#parts)
    for (const { seq, weight } of kept) {
      if (seq <= start) continue
      const part = Math.floor(seq / PART)
      parts.set(part, (parts.get(part) ?? 0) - weight * COST)
    }
    let best = { saved: 0, seq: start }
    let saved = 0
    for (const part of [...parts.keys()].sort((a, b) => a - b)) {
      saved += parts.get(part)!
      if (saved > best.saved) best = { saved, seq: Math.min((part + 1) * PART - 1, head) }
    }
    for (const part of this.#parts.keys()) if (part * PART <= best.seq) this.#drop(part)
    return best.seq
  }
}
