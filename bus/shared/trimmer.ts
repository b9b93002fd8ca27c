import type { Gone, Log } from '../log.ts'
import type { Calls } from './calls.ts'
import type { Engine, Trim } from './engine.ts'
import { Waste } from './waste.ts'

/** Maximum milliseconds between trims. The delay is random, at least half of it, to spread the instances. */
const PERIOD = 2_000

/** A removed message, with the epoch in which the log removed it. */
interface Removed extends Gone {
  readonly epoch: string
}

/** Limits of one call: floors or seqs, and places of the tail. */
const AT_ONCE = { items: 1_000, places: 10_000 }

/**
 * Reports removed messages to the engine. Reports of several instances are equal, and may be repeated: floors are sent
 * first, and no instance moves a message that another has removed.
 */
export class Trimmer {
  readonly #engine: Engine
  readonly #log: Log
  readonly #calls: Calls
  readonly #mostEmpty: number
  /**
   * Channels whose floor has changed since the last report, or that were forgotten, and the seqs of messages that were
   * lost.
   */
  readonly #channels = new Set<string>()
  #gone: Removed[] = []
  readonly #waste = new Waste()
  /** The epoch in which the floors were reported. */
  #epoch: string | undefined
  /** The start of the engine's tail, as known here. */
  #start = 0
  #timer: NodeJS.Timeout | undefined

  /** @param mostEmpty maximum number of empty channels whose floors are kept */
  constructor(engine: Engine, log: Log, calls: Calls, mostEmpty: number) {
    this.#engine = engine
    this.#log = log
    this.#calls = calls
    this.#mostEmpty = mostEmpty
  }

  /** Notes a place without a kept message. */
  note(gone: Gone): void {
    this.#channels.add(gone.channel)
    const { channel, seq, weight } = gone
    this.#gone.push({ channel, seq, weight, epoch: this.#log.epoch })
  }

  /** Notes a channel that was forgotten, or that begins with a floor. */
  noteFloor(channel: string): void {
    this.#channels.add(channel)
  }

  start(): void {
    this.#epoch ??= this.#log.epoch
    this.#timer = setTimeout(() => this.#trim(), PERIOD * (0.5 + Math.random() / 2)).unref()
  }

  async #trim(): Promise<void> {
    try {
      this.#checkEpoch()
      if (this.#gone.length > 0 || this.#channels.size > 0) {
        await this.#tellGone()
        await this.#cut()
      }
    } catch {
      // The next report includes it.
    }
    if (!this.#calls.closed) this.start()
  }

  /** Marks all floors as changed after a fork: the engine may have lost those that it was told before. */
  #checkEpoch(): void {
    const { epoch } = this.#log
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    for (const channel of this.#log.floored()) this.#channels.add(channel)
  }

  /** Makes the next report contain every floor. */
  async #tellFloors(): Promise<void> {
    while (this.#channels.size > AT_ONCE.items) await this.#tell({})
  }

  async #tellGone(): Promise<void> {
    await this.#tellFloors()
    const gone = this.#gone
    this.#gone = []
    const elsewhere: Removed[] = []
    try {
      // The reply contains the start of the tail. A message below its floor is never moved.
      await this.#tell({})
      for (const each of gone) {
        if (each.seq > this.#start) this.#waste.add(each)
        else elsewhere.push(each)
      }
      gone.length = 0
      while (elsewhere.length > 0) {
        const some = elsewhere.slice(-AT_ONCE.items)
        const over = some.filter((each) => this.#isOver(each))
        await this.#tell({ gone: over.map(({ seq }) => seq) })
        elsewhere.length -= some.length
      }
    } catch (error) {
      for (const each of gone) this.#gone.push(each)
      for (const each of elsewhere) this.#gone.push(each)
      throw error
    }
  }

  /** Whether a removed message is gone for good: it may be kept again, and its seq may have been assigned again. */
  #isOver({ channel, seq, epoch }: Removed): boolean {
    return seq <= (this.#log.commonEnd(epoch) ?? 0) && !this.#log.keeps(channel, seq)
  }

  /** Cuts the tail if that is worthwhile, in short calls. */
  async #cut(): Promise<void> {
    const log = this.#log
    await this.#tellFloors()
    this.#waste.between(this.#start, log.head)
    // Messages removed from now on are moved as if they were kept, and reported later.
    const oldest = (log.oldest?.seq ?? log.head + 1) - 1
    if (oldest > this.#start) await this.#tell({ seq: oldest })
    if (!this.#waste.isMuch(log.kept.bytes)) return
    await this.#tellFloors()
    // A new epoch changes the kept messages.
    const { epoch } = log
    const end = this.#waste.cut(log.entries(), this.#start, log.head)
    const kept: number[] = []
    for (const { seq } of log.entries()) if (seq > this.#start && seq <= end) kept.push(seq)
    kept.sort((a, b) => a - b)
    for (let from = 0; this.#start < end; ) {
      const most = Math.min(end, this.#start + AT_ONCE.places, kept[from + AT_ONCE.items] ?? end)
      let to = from
      while (to < kept.length && kept[to]! <= most) to++
      const before = this.#start
      await this.#tell({ epoch, seq: most, kept: kept.slice(from, to) })
      if (this.#start <= before) return
      from = to
    }
  }

  /** Sends floors first: every removed message must be below one. */
  async #tell(part: Partial<Trim>): Promise<void> {
    const log = this.#log
    this.#checkEpoch()
    if (part.seq !== undefined && this.#channels.size > AT_ONCE.items) throw new Error('floors come first')
    const { epoch, forgotten, kept } = log
    const channels = firstOf(this.#channels, AT_ONCE.items)
    for (const channel of channels) this.#channels.delete(channel)
    // A channel that was forgotten has the floor of all unknown ones.
    const unknown = channels.filter((channel) => !log.knows(channel))
    const floors = new Map(
      channels.filter((channel) => log.knows(channel)).map((channel) => [channel, log.floor([channel])]),
    )
    const mostFloors = 2 * (this.#mostEmpty + kept.channels)
    const { head } = log
    const trim = {
      epoch,
      seq: 0,
      kept: [],
      gone: [],
      floors,
      unknown: forgotten > 0 ? unknown : [],
      head,
      forgotten,
      mostFloors,
      ...part,
    }
    try {
      const start = await this.#calls.make((signal) => this.#engine.trim(trim, signal))
      if (start === undefined) throw new Error('the log begins a new epoch')
      this.#start = start
    } catch (error) {
      for (const channel of channels) this.#channels.add(channel)
      throw error
    }
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}

function firstOf<T>(all: Iterable<T>, count: number): T[] {
  const some: T[] = []
  for (const each of all) {
    if (some.length === count) break
    some.push(each)
  }
  return some
}
