import { randomBytes } from 'node:crypto'
import { Batch } from './batch.ts'
import type { Start } from './cursor.ts'
import type { GapReason } from './errors.ts'
import { Entry } from './message.ts'
import type { Payload } from './payload.ts'
import { Ring } from './ring.ts'
import { Views } from './views.ts'

/** What a log keeps. */
export interface Retention {
  /** Messages kept in each channel. @default 10000 */
  messages?: number
  /** How long a message is kept, in milliseconds; Infinity: no bound. @default 3600000 */
  age?: number
  /**
   * Bytes kept in the whole log: envelopes (a channel's name stands in each) and idempotency keys. Past it the log's
   * oldest message goes first. @default 67108864
   */
  bytes?: number
  /** Channels without a message whose floor is remembered apart. @default 10000 */
  channels?: number
}

/** A hole: between a cursor and this place something is missing, after it all is there. */
export interface Gap {
  readonly reason: GapReason
  readonly seq: number
}

/** How much one read may return. */
export interface Bound {
  /** Messages. */
  readonly limit: number
  /** Bytes of envelopes, with one byte between; one message is returned whatever it weighs. */
  readonly bytes: number
  /** The last seq that counts. @default the head */
  readonly until?: number
}

/** One channel's messages, and the highest seq that it has lost. */
interface Channel {
  readonly name: string
  readonly entries: Ring<Entry>
  floor: number
}

/** Batches whose bytes are kept for the next reader at the same place, until the log changes. */
const MEMO = 8

/**
 * All messages of one bus, in one order, in this process's memory. It is read and watched synchronously: there is no
 * turn of the event loop between a read that finds nothing and the watch that follows it, and so no lost message.
 */
export class Log {
  /** The name of this life of the log. */
  readonly epoch: string = randomBytes(6).toString('base64url')
  readonly #retention: Required<Retention>
  readonly #channels = new Map<string, Channel>()
  /** The channels without a message, the longest empty first. */
  readonly #empty = new Set<Channel>()
  /** The highest floor of a channel that was forgotten: it stands for every unknown one. */
  #forgotten = 0
  #head = 0
  #oldest: Entry | undefined
  #newest: Entry | undefined
  #messages = 0
  #bytes = 0
  #ageTimer: NodeJS.Timeout | undefined

  /** Who reads it live. */
  readonly views = new Views(this)
  #memo: { channels: readonly string[]; after: number; bound: Bound; batch: Batch }[] = []
  #closed = false

  constructor(retention: Required<Retention>) {
    this.#retention = retention
  }

  /** The seq of the last message, whether it is still kept or not; 0 where there was none. */
  get head(): number {
    return this.#head
  }

  /** What is kept: channels that hold a message, messages, and their bytes as retention counts them. */
  get kept(): { channels: number; messages: number; bytes: number } {
    return { channels: this.#channels.size - this.#empty.size, messages: this.#messages, bytes: this.#bytes }
  }

  /** The batch of a reader that has it all. */
  get nothing(): Batch {
    return new Batch(this.epoch, [], this.#head, false)
  }

  cursor(seq: number): string {
    return `${this.epoch}.${seq}`
  }

  /** Puts a message at the end. Live readers get it once all that came with it is there (`Views`). */
  append(name: string, payload: Payload, keySize = 0): Entry {
    let channel = this.#channels.get(name)
    if (channel === undefined) {
      channel = { name, entries: new Ring(), floor: this.#forgotten }
      this.#channels.set(name, channel)
    } else this.#empty.delete(channel)

    const entry = new Entry(this.epoch, ++this.#head, channel.name, Date.now(), payload, keySize)
    channel.entries.push(entry)
    entry.older = this.#newest
    if (this.#newest === undefined) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
    this.#messages++
    this.#bytes += entry.weight
    this.#memo = []

    this.views.soil(name, entry.seq)
    while (channel.entries.length > this.#retention.messages) this.#trim(channel.entries.at(0))
    while (this.#bytes > this.#retention.bytes) this.#trim(this.#oldest!)
    this.#armAge()
    return entry
  }

  /** The highest floor of these channels. */
  floor(channels: readonly string[]): number {
    let floor = 0
    for (const name of channels) floor = Math.max(floor, this.#channels.get(name)?.floor ?? this.#forgotten)
    return floor
  }

  /** The hole that stands between a place and what these channels still hold after it. */
  gapAfter(seq: number, channels: readonly string[]): Gap | undefined {
    const floor = this.floor(channels)
    return floor > seq ? { reason: 'trimmed', seq: floor } : undefined
  }

  /** Where a reader of these channels starts, and the hole that it must be told of first. */
  locate(start: Start, channels: readonly string[]): { seq: number; gap: Gap | undefined } {
    if (start === 'now') return { seq: this.#head, gap: undefined }
    const earliest = channels.length === 0 ? this.#head : this.floor(channels)
    if (start === 'earliest') return { seq: earliest, gap: undefined }
    const { epoch, seq } = start
    if (epoch !== this.epoch) return { seq: earliest, gap: { reason: 'epoch', seq: earliest } }
    if (seq > this.#head) return { seq: this.#head, gap: { reason: 'ahead', seq: this.#head } }
    return { seq, gap: this.gapAfter(seq, channels) }
  }

  /**
   * The messages of these channels after a place, in log order. Costs O(log n) for each channel and O(1) for each
   * message returned. The place must have no gap.
   */
  read(channels: readonly string[], after: number, bound: Bound): Batch {
    for (const memo of this.#memo) {
      if (memo.after === after && memo.bound === bound && memo.channels === channels) return memo.batch
    }
    const { limit, bytes, until = this.#head } = bound
    const cursors = this.#cursorsAfter(after, channels)
    const entries: Entry[] = []
    let size = 0
    for (;;) {
      let next: { ring: Ring<Entry>; index: number } | undefined
      for (const candidate of cursors) {
        if (candidate.index === candidate.ring.length) continue
        if (!next || candidate.ring.at(candidate.index).seq < next.ring.at(next.index).seq) next = candidate
      }
      const entry = next?.ring.at(next.index)
      if (entry === undefined || entry.seq > until)
        return this.#remember(channels, after, bound, entries, until, false)
      size += entry.size + 1
      if (entries.length === limit || (entries.length > 0 && size > bytes)) {
        return this.#remember(channels, after, bound, entries, entries.at(-1)!.seq, true)
      }
      entries.push(entry)
      next!.index++
    }
  }

  #remember(
    channels: readonly string[],
    after: number,
    bound: Bound,
    entries: Entry[],
    end: number,
    more: boolean,
  ): Batch {
    const batch = new Batch(this.epoch, entries, end, more)
    if (entries.length > 0) {
      if (this.#memo.length === MEMO) this.#memo.shift()
      this.#memo.push({ channels, after, bound, batch })
    }
    return batch
  }

  #cursorsAfter(after: number, channels: readonly string[]): { ring: Ring<Entry>; index: number }[] {
    const cursors = []
    for (const name of channels) {
      const ring = this.#channels.get(name)?.entries
      if (ring === undefined || ring.length === 0 || ring.at(ring.length - 1).seq <= after) continue
      let low = 0
      let high = ring.length - 1
      while (low < high) {
        const middle = (low + high) >>> 1
        if (ring.at(middle).seq > after) high = middle
        else low = middle + 1
      }
      cursors.push({ ring, index: low })
    }
    return cursors
  }

  /** Takes a channel's oldest message out. */
  #trim(entry: Entry): void {
    // A live reader that keeps up must not meet a hole because one turn published more than is kept. (Not from within
    // a flush, where a hook of the user's published: the readers behind would get the later message first.)
    if (this.views.waitFor(entry.seq)) {
      this.views.flush()
      return
    }
    const channel = this.#channels.get(entry.channel)!
    channel.entries.shift()
    channel.floor = entry.seq
    if (entry.older === undefined) this.#oldest = entry.newer
    else entry.older.newer = entry.newer
    if (entry.newer === undefined) this.#newest = entry.older
    else entry.newer.older = entry.older
    entry.older = undefined
    entry.newer = undefined
    this.#messages--
    this.#bytes -= entry.weight
    this.#memo = []
    if (channel.entries.length > 0) return

    this.#empty.add(channel)
    if (this.#empty.size <= this.#retention.channels) return
    const [forgotten] = this.#empty
    this.#empty.delete(forgotten!)
    this.#channels.delete(forgotten!.name)
    this.#forgotten = Math.max(this.#forgotten, forgotten!.floor)
  }

  #armAge(): void {
    const { age } = this.#retention
    if (age === Infinity || this.#ageTimer !== undefined || this.#oldest === undefined || this.#closed) return
    // Not for each message a timer of its own: those that are due within a hundredth of the age go together.
    const due = this.#oldest.time + age - Date.now()
    const delay = Math.min(Math.max(due, age / 100, 1), 0x7fff_ffff)
    this.#ageTimer = setTimeout(() => {
      this.#ageTimer = undefined
      const expired = Date.now() - age
      while (this.#oldest !== undefined && this.#oldest.time <= expired) this.#trim(this.#oldest)
      this.#armAge()
    }, delay).unref()
  }

  /** Hands out what waits, and stops the timers. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#ageTimer)
    this.#ageTimer = undefined
    this.views.flush()
  }
}
