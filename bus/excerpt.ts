import { type Choice, chosenEpoch } from './cursor.ts'

/**
 * The messages that `last:N` or `since:MS` selects: of each channel those after a bound of its own. Below the highest
 * bound a plain cursor would be wrong: a reader that resumed from it would get messages that it did not select, or a
 * gap where retention had removed them. So a cursor below that bound carries the choice, from which the bounds are
 * computed again, and a digest of the bounds ahead of it. If retention removed a selected message meanwhile, the digest
 * differs, and the reader gets a gap.
 */
export class Excerpt {
  readonly #epoch: string
  readonly #choice: Choice
  /** For each channel, the seq up to which its messages are left out. */
  readonly #bounds: ReadonlyMap<string, number>
  /** The highest bound. From here on, plain cursors do. */
  readonly end: number

  constructor(epoch: string, choice: Choice, bounds: ReadonlyMap<string, number>) {
    this.#epoch = epoch
    this.#choice = choice
    this.#bounds = bounds
    this.end = Math.max(0, ...bounds.values())
  }

  /** The place from which to read a channel, for a reader at `place`. */
  after(channel: string, place: number): number {
    return Math.max(place, this.#bounds.get(channel) ?? 0)
  }

  /** The cursor of a place. */
  cursor(place: number): string {
    const epoch = place < this.end ? chosenEpoch(this.#epoch, this.#choice, this.digest(place)) : this.#epoch
    return `${epoch}.${place}`
  }

  /** FNV-1a over the bounds ahead of a place, both halves of each number. */
  digest(place: number): string {
    let hash = 0x811c9dc5
    for (const bound of this.#bounds.values()) {
      const from = Math.max(place, bound)
      hash = Math.imul(hash ^ (from >>> 0), 0x01000193)
      hash = Math.imul(hash ^ Math.floor(from / 2 ** 32), 0x01000193)
    }
    return (hash >>> 0).toString(36)
  }

  /** The excerpt after the log lost everything past `end`; undefined once the place needs none. */
  cut(end: number, place: number): Excerpt | undefined {
    if (place >= Math.min(this.end, end)) return undefined
    const bounds = new Map([...this.#bounds].map(([channel, bound]) => [channel, Math.min(bound, end)]))
    return new Excerpt(this.#epoch, this.#choice, bounds)
  }

  /** The excerpt without a channel that its reader unsubscribed from. */
  without(channel: string): Excerpt {
    const bounds = new Map(this.#bounds)
    bounds.delete(channel)
    return new Excerpt(this.#epoch, this.#choice, bounds)
  }
}
