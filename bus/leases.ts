/** Milliseconds for which a lease lasts at least. It lasts up to twice that. */
const LEAST = 3_000

/** Maximum estimated bytes of all leases. */
const BYTES = 4 * 1024 * 1024

/** Estimated bytes of a lease: beside its name, and for each of its channels. */
const COST = { lease: 200, channel: 64 }

/** The channels that a client reads, as those of its group. */
interface Read {
  readonly key: string
  readonly channels: readonly string[]
}

interface Lease {
  readonly channels: readonly string[]
  count: number
}

/**
 * Clients of long polls that were answered and are expected back. A client comes back with the cursor of its answer.
 * Those with equal cursors and channels are interchangeable, so they are only counted. There is no timer: leases end at
 * the first call after their time. Nothing is counted before somebody asks for a number.
 */
export class Leases {
  readonly #least: number
  /** The leases since the last turn of generations, and those of the generation before. */
  #young = new Map<string, Lease>()
  #old = new Map<string, Lease>()
  #bytes = 0
  #turnedAt = 0
  #asked = false
  /** Leases by channel. */
  readonly #counts = new Map<string, number>()

  /** @param least milliseconds */
  constructor(least = LEAST) {
    this.#least = least
  }

  /** A client has got an answer with this cursor. */
  grant(cursor: string, { key, channels }: Read): void {
    if (!this.#asked) return
    this.#turn()
    const name = `${cursor} ${key}`
    const lease = this.#young.get(name)
    if (lease !== undefined) lease.count++
    else {
      if (this.#bytes > BYTES) return
      this.#bytes += costOf(name, channels)
      this.#young.set(name, { channels, count: 1 })
    }
    this.#count(channels, 1)
  }

  /**
   * A client has come back with this cursor.
   * @returns whether one was expected
   */
  take(cursor: string, { key }: Read): boolean {
    if (!this.#asked) return false
    const name = `${cursor} ${key}`
    // The youngest first: the leases of clients that do not come back grow old, even if others keep coming.
    return this.#takeFrom(this.#young, name) || this.#takeFrom(this.#old, name)
  }

  #takeFrom(generation: Map<string, Lease>, name: string): boolean {
    const lease = generation.get(name)
    if (lease === undefined) return false
    if (--lease.count === 0) {
      generation.delete(name)
      this.#bytes -= costOf(name, lease.channels)
    }
    this.#count(lease.channels, -1)
    return true
  }

  /** Number of clients of a channel that are expected back. */
  of(channel: string): number {
    this.#ask()
    return this.#counts.get(channel) ?? 0
  }

  /** These numbers by channel. */
  counts(): ReadonlyMap<string, number> {
    this.#ask()
    return this.#counts
  }

  #count(channels: readonly string[], by: number): void {
    for (const channel of channels) {
      const count = (this.#counts.get(channel) ?? 0) + by
      if (count === 0) this.#counts.delete(channel)
      else this.#counts.set(channel, count)
    }
  }

  #ask(): void {
    this.#asked = true
    this.#turn()
  }

  #turn(): void {
    const now = performance.now()
    const late = now - this.#turnedAt
    if (late < this.#least) return
    this.#end(this.#old)
    // Each grant turns first, so the young ones are those of one period.
    if (late >= 2 * this.#least) {
      this.#end(this.#young)
      this.#turnedAt = now
    } else this.#turnedAt += this.#least
    this.#old = this.#young
    this.#young = new Map()
  }

  #end(generation: Map<string, Lease>): void {
    for (const [name, { channels, count }] of generation) {
      this.#bytes -= costOf(name, channels)
      this.#count(channels, -count)
    }
    generation.clear()
  }
}

function costOf(name: string, channels: readonly string[]): number {
  return name.length + COST.lease + channels.length * COST.channel
}
