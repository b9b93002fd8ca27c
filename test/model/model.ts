/** Messages kept in each channel: few, so that much is trimmed. */
export const KEEP = 3

/** An entry of the log. */
export interface Item {
  readonly seq: number
  readonly channel: string
  readonly time: number
  /** Whether it carries data. */
  readonly data: boolean
  /** Whether its channel has ended with it. */
  end: boolean
}

/** Of each channel what a reader is not to have, though it is kept. */
export type Bounds = ReadonlyMap<string, number>

export const NO_BOUNDS: Bounds = new Map()

/** The log as it ought to be. */
export class Model {
  #all: Item[] = []

  add(item: Item): void {
    this.#all.push(item)
  }

  /** From the end. */
  at(back: number): Item | undefined {
    return this.#all.at(-1 - back)
  }

  of(channels: readonly string[]): Item[] {
    return this.#all.filter(({ channel }) => channels.includes(channel))
  }

  after(place: number, channels: readonly string[], bounds = NO_BOUNDS): Item[] {
    return this.of(channels).filter(({ seq, channel }) => seq > Math.max(place, bounds.get(channel) ?? 0))
  }

  floorOf(channel: string): number {
    return this.of([channel]).at(-1 - KEEP)?.seq ?? this.#floors.get(channel) ?? 0
  }

  floor(channels: readonly string[]): number {
    return Math.max(0, ...channels.map((channel) => this.floorOf(channel)))
  }

  /** The gap that a reader is told of. */
  gap(place: number, channels: readonly string[], bounds = NO_BOUNDS): number | undefined {
    const lost = channels.some((channel) => this.floorOf(channel) > Math.max(place, bounds.get(channel) ?? 0))
    return lost ? this.floor(channels) : undefined
  }

  endOf(channel: string): Item | undefined {
    const last = this.of([channel]).at(-1)
    return last?.end ? last : undefined
  }

  /** Those that have ended, at a place. */
  ended(channels: readonly string[], place: number): string[] {
    return [...channels].sort().filter((channel) => (this.endOf(channel)?.seq ?? Infinity) <= place)
  }

  /** Floors that can't be told from what is there: an end that was reopened is not there any more. */
  readonly #floors = new Map<string, number>()

  reopen(channel: string): void {
    const end = this.endOf(channel)
    if (end === undefined) return
    const floor = this.floorOf(channel)
    end.end = false
    if (end.data) return
    // What it had pushed out stays away.
    this.#floors.set(channel, floor)
    this.#all = this.#all.filter((item) => item !== end && (item.channel !== channel || item.seq > floor))
  }

  /** What a start takes: the place before the first message of it, and the bounds of each channel. */
  choose(start: string, channels: readonly string[], head: number): { place: number; bounds: Bounds } {
    const [, kind, number] = /(.*):(.*)/.exec(start)!
    const bounds = new Map<string, number>()
    let place = head
    for (const channel of channels) {
      const kept = this.of([channel]).slice(-KEEP)
      const from =
        kind === 'since'
          ? kept.findIndex(({ time }) => time >= Number(number))
          : kept.length - Number(number) - (kept.at(-1)?.end && !kept.at(-1)!.data ? 1 : 0)
      const first = kind === 'since' && from === -1 ? kept.length : Math.max(0, from)
      bounds.set(channel, first === 0 ? this.floorOf(channel) : kept[first - 1]!.seq)
      if (first < kept.length) place = Math.min(place, kept[first]!.seq - 1)
    }
    return { place, bounds }
  }
}
