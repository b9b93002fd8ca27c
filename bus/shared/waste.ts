/** Places per bucket. */
const PART = 1024

/** Bytes of removed messages that the tail may always contain. */
const FREE = 256 * 1024

/** Cost of moving a kept message out of the tail, as a share of its bytes. */
const COST = 1 / 2

/** A kept message. */
export interface Weighed {
  readonly seq: number
  readonly weight: number
}

/** Counts the removed messages in the tail of an engine's log, and decides where to cut it. */
export class Waste {
  /** Bytes per bucket. */
  readonly #parts = new Map<number, number>()
  #bytes = 0

  add({ seq, weight }: Weighed): void {
    const part = Math.floor(seq / PART)
    this.#parts.set(part, (this.#parts.get(part) ?? 0) + weight)
    this.#bytes += weight
  }

  /** The places before the start of the tail and at its end. */
  between(start: number, head: number): void {
    for (const part of this.#parts.keys()) {
      if ((part + 1) * PART - 1 <= start || part * PART > head) this.#drop(part)
    }
  }

  #drop(part: number): void {
    this.#bytes -= this.#parts.get(part) ?? 0
    this.#parts.delete(part)
  }

  /** Whether a cut may be worthwhile. @param kept bytes */
  isMuch(kept: number): boolean {
    return this.#bytes > kept + FREE
  }

  /**
   * Finds the best cut, and forgets the removed messages before it. After the cut, every prefix of the tail contains
   * less removed than kept bytes, so that the tail has at most twice the kept bytes. The moved bytes are at most twice
   * the removed ones.
   * @param kept all kept messages, in any order
   * @returns the last seq before the cut
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
