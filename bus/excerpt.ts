import { type Choice, chosenEpoch } from './cursor.ts'

/**
 * What `last:N` or `since:MS` takes of several channels: of each what stands after a bound of its own. Below the
 * highest bound a plain cursor would claim what its reader was never to have: going on from it there would be a hole
 * where retention has taken some of that, and the rest would come after all. There the cursor carries the choice, from
 * which the bounds are found again, and a digest of those that are still ahead: where some of what was chosen has gone
 * meanwhile the digest is another one, and it is a hole.
 */
export class Excerpt {
  readonly #epoch: string
  readonly #choice: Choice
  /** Of each channel: what stands up to here is left out. */
  readonly #bounds: ReadonlyMap<string, number>
  /** The highest bound: from here on all is as for everybody. */
  readonly end: number

  constructor(epoch: string, choice: Choice, bounds: ReadonlyMap<string, number>) {
    this.#epoch = epoch
    this.#choice = choice
    this.#bounds = bounds
    this.end = Math.max(0, ...bounds.values())
  }

  /** Where a channel is read from by a reader that has come to a place. */
  after(channel: string, place: number): number {
    return Math.max(place, this.#bounds.get(channel) ?? 0)
  }

  /** The cursor of a place. */
  cursor(place: number): string {
    const epoch = place < this.end ? chosenEpoch(this.#epoch, this.#choice, this.digest(place)) : this.#epoch
    return `${epoch}.${place}`
  }

  /** Of the bounds that are ahead of a place: FNV-1a, over both halves of each number. */
  digest(place: number): string {
    let hash = 0x811c9dc5
    for (const bound of this.#bounds.values()) {
      const from = Math.max(place, bound)
      hash = Math.imul(hash ^ (from >>> 0), 0x01000193)
      hash = Math.imul(hash ^ Math.floor(from / 2 ** 32), 0x01000193)
    }
    return (hash >>> 0).toString(36)
  }

  /** The same, of a log that has lost what stood after its end; undefined where a place needs it no more. */
  cut(end: number, place: number): Excerpt | undefined {
    if (place >= Math.min(this.end, end)) return undefined
    const bounds = new Map([...this.#bounds].map(([channel, bound]) => [channel, Math.min(bound, end)]))
    return new Excerpt(this.#epoch, this.#choice, bounds)
  }

  /** The same, for a reader that has dropped a channel. */
  without(channel: string): Excerpt {
    const bounds = new Map(this.#bounds)
    bounds.delete(channel)
    return new Excerpt(this.#epoch, this.#choice, bounds)
  }
}
