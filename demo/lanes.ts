import { Lane, type Watcher } from './lane.ts'

/** Maximum lanes of the app. */
const MOST = 64

export const LANE = /^[A-Za-z0-9]{16}$/

/** The lanes that have a watcher. No other lane is kept. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>()

  get(id: string): Lane | undefined {
    return this.#lanes.get(id)
  }

  /** Whether there is no room for this many more. */
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

  /** Removes all delays, because the app closes. */
  hurry(): void {
    for (const lane of this.#lanes.values()) lane.hurry()
  }

  close(): void {
    for (const lane of this.#lanes.values()) lane.close()
  }
}
