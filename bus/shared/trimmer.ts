import type { Log } from '../log.ts'
import type { Calls } from './calls.ts'
import type { Engine } from './engine.ts'

/** Milliseconds between two trims, at most; at least half of it, so that not all instances trim at once. */
const PERIOD = 2_000

/** Floors that go in one call. */
const AT_ONCE = 1_000

/** Tells the engine what this log has let go of. What two instances tell of is the same, and harmless twice. */
export class Trimmer {
  readonly #engine: Engine
  readonly #log: Log
  readonly #calls: Calls
  readonly #mostEmpty: number
  /** The channels that have lost messages since the engine was told. */
  #channels = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  /** @param mostEmpty channels without a message whose floors are remembered */
  constructor(engine: Engine, log: Log, calls: Calls, mostEmpty: number) {
    this.#engine = engine
    this.#log = log
    this.#calls = calls
    this.#mostEmpty = mostEmpty
  }

  /** A message of this channel was taken out. */
  trimmed(channel: string): void {
    this.#channels.add(channel)
  }

  start(): void {
    this.#timer = setTimeout(() => this.#trim(), PERIOD * (0.5 + Math.random() / 2)).unref()
  }

  async #trim(): Promise<void> {
    try {
      while (this.#channels.size > 0) await this.#tell([...this.#channels].slice(0, AT_ONCE))
    } catch {
      // It is told the next time.
    }
    if (!this.#calls.closed) this.start()
  }

  async #tell(channels: readonly string[]): Promise<void> {
    const log = this.#log
    const { epoch, forgotten, oldest } = log
    for (const channel of channels) this.#channels.delete(channel)
    const floors = new Map(channels.map((channel) => [channel, log.floor([channel])]))
    // Floors first: what is gone must have one.
    const seq = this.#channels.size > 0 ? 0 : (oldest?.seq ?? log.head + 1) - 1
    const mostFloors = this.#mostEmpty + log.kept.channels
    try {
      await this.#calls.make((signal) =>
        this.#engine.trim({ epoch, seq, floors, forgotten, mostFloors }, signal),
      )
    } catch (error) {
      for (const channel of channels) this.#channels.add(channel)
      throw error
    }
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
