import { Lane, type Watcher } from './lane.ts'

/** Lanes at once, in all. */
const MOST = 64

export const LANE = /^[A-Za-z0-9]{16}$/

/** The lanes that somebody watches: nobody else has a use for one. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>()

  get(id: string): Lane | undefined {
    return this.#lanes.get(id)
  }

  /** Whether so many more can't be had. */
  fullWith(more: number): boolean {
    return this.#lanes.size + more > MOST
  }

  watch(id: string, watcher: Watcher): Lane {
    let lane = this.#lanes.get(id)
    if (lane === undefined) {
      lane = new Lane(id)
      this.#lanes.set(id, lane)
    }
    lane.watchers.add(watcher)
    return lane
  }

  unwatch(lane: Lane, watcher: Watcher): void {
    lane.watchers.delete(watcher)
    if (lane.watchers.size > 0) return
    this.#lanes.delete(lane.id)
    lane.close()
  }

  /** The app goes away: answers that are under way must not be late. */
  hurry(): void {
    for (const lane of this.#lanes.values()) lane.hurry()
  }

  close(): void {
    for (const lane of this.#lanes.values()) lane.close()
  }
}
