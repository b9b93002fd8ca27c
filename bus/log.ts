import { randomBytes } from 'node:crypto'
import { Batch } from './batch.ts'
import type { Bound, Gap } from './bound.ts'
import type { Start } from './cursor.ts'
import { Expiry } from './expiry.ts'
import { type InLine, Line } from './line.ts'
import { Memo } from './memo.ts'
import { Entry, weightOf } from './message.ts'
import type { Payload } from './payload.ts'
import { ReaderGroups } from './reader-groups.ts'
import { Ring } from './ring.ts'
import { detach, heapBytesOf } from './text.ts'
import { Turns } from './turns.ts'

/** What a log keeps. */
export interface Retention {
  /** Messages kept in each channel. @default 10000 */
  messages?: number
  /**
   * How long a message is kept, in milliseconds, by a clock that nobody sets; while the machine is suspended it stands
   * still. Messages go up to a fiftieth of it later. Infinity: no bound. @default 3600000
   */
  age?: number
  /**
   * Bytes of memory that the log takes: messages, channels (those without a message too), idempotency keys. Past it the
   * log's oldest message goes first. @default 67108864
   */
  bytes?: number
  /** Channels without a message whose floor is remembered apart. @default 10000 */
  channels?: number
}

/** One channel's messages, and the highest seq that it has lost. */
interface Channel extends InLine<Channel> {
  readonly name: string
  readonly entries: Ring<Entry>
  floor: number
}

/** Bytes of heap that a channel takes beside its name, its messages and its places for them, and an empty one more. */
const CHANNEL = { base: 226, empty: 8, place: 8 }

/** The part of the bytes that channels without a message may take. */
const EMPTY_PART = 1 / 4

/** Messages that are taken out for their age in one turn of the event loop. */
const EXPIRED_AT_ONCE = 1000

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
  readonly #empty = new Line<Channel>()
  /** The highest floor of a channel that was forgotten: it stands for every unknown one. */
  #forgotten = 0
  #head = 0
  /** All messages, the oldest first. */
  readonly #entries = new Line<Entry>()
  #bytes = 0
  /** Bytes of the channels without a message. */
  #emptyBytes = 0
  readonly #expiry: Expiry
  /** What stands up to here has reached its age. */
  #expired = 0
  #trimming: NodeJS.Immediate | undefined

  /** Who reads it live. */
  readonly groups = new ReaderGroups(this)
  /** Who reads back from it, and when. */
  readonly turns = new Turns()
  readonly #memo = new Memo()
  #closed = false

  constructor(retention: Required<Retention>) {
    this.#retention = retention
    this.#expiry = new Expiry(
      retention.age,
      () => this.#head,
      (seq) => this.#expire(seq),
    )
  }

  /** The seq of the last message, whether it is still kept or not; 0 where there was none. */
  get head(): number {
    return this.#head
  }

  /** What is kept: channels that hold a message, messages, and the bytes of memory that all of it takes. */
  get kept(): { channels: number; messages: number; bytes: number } {
    return {
      channels: this.#channels.size - this.#empty.size,
      messages: this.#entries.size,
      bytes: this.#bytes,
    }
  }

  /** The batch of a reader that has it all. */
  get nothing(): Batch {
    return new Batch(this.epoch, [], this.#head, false)
  }

  cursor(seq: number): string {
    return `${this.epoch}.${seq}`
  }

  /** Bytes that a new message of this channel would take, at most. */
  weightOf(name: string, payload: Payload): number {
    const room = this.#channels.has(name) ? 0 : CHANNEL.base + heapBytesOf(name.length)
    return weightOf(name, payload) + room + CHANNEL.place
  }

  /** Puts a message at the end. Live readers get it once all that came with it is there (`ReaderGroups`). */
  append(name: string, payload: Payload): Entry {
    const channel = this.#channelFor(name)
    const entry = new Entry(this.epoch, ++this.#head, channel.name, Date.now(), payload)
    const { capacity } = channel.entries
    channel.entries.push(entry)
    this.#entries.add(entry)
    this.#bytes += entry.weight + (channel.entries.capacity - capacity) * CHANNEL.place
    this.#memo.clear()

    this.groups.markDirty(channel.name, entry.seq)
    while (channel.entries.length > this.#retention.messages) this.#trim(channel.entries.at(0))
    this.#fit()
    if (!this.#closed) this.#expiry.arm()
    return entry
  }

  /**
   * Bytes that are kept beside the messages, as idempotency keys are, count with them.
   * @param bytes more, or fewer where it is negative
   */
  charge(bytes: number): void {
    this.#bytes += bytes
    this.#fit()
  }

  #channelFor(name: string): Channel {
    let channel = this.#channels.get(name)
    if (channel === undefined) {
      channel = {
        name: detach(name),
        entries: new Ring(),
        floor: this.#forgotten,
        before: undefined,
        behind: undefined,
      }
      this.#channels.set(channel.name, channel)
      this.#bytes += bytesOf(channel)
    } else if (channel.entries.length === 0) {
      this.#empty.delete(channel)
      this.#countEmpty(channel, -1)
    }
    return channel
  }

  #countEmpty(channel: Channel, sign: 1 | -1): void {
    this.#bytes += sign * CHANNEL.empty
    this.#emptyBytes += sign * (bytesOf(channel) + CHANNEL.empty)
  }

  /** Makes room: what was appended last goes last. */
  #fit(): void {
    const { bytes } = this.#retention
    while (this.#bytes > bytes && this.#entries.first !== undefined) {
      if (this.#entries.size === 1 && this.#empty.size > 0) this.#forget()
      else this.#trim(this.#entries.first)
    }
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
    const known = this.#memo.find(channels, after, bound)
    if (known !== undefined) return known
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
      const last = entry === undefined || entry.seq > until
      if (last || entries.length === limit || (entries.length > 0 && size + entry.size + 1 > bytes)) {
        const end = last ? until : entries.at(-1)!.seq
        const batch = new Batch(this.epoch, entries, end, !last, size)
        // Nobody else reads up to the same place: it would only push out what others ask for.
        if (entries.length > 0 && bound.until === undefined) this.#memo.add(channels, after, bound, batch)
        return batch
      }
      size += entry.size + 1
      entries.push(entry)
      next!.index++
    }
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
    if (this.groups.waitFor(entry.seq)) {
      this.groups.flush()
      return
    }
    const channel = this.#channels.get(entry.channel)!
    const { capacity } = channel.entries
    channel.entries.shift()
    channel.floor = entry.seq
    this.#entries.delete(entry)
    this.#bytes -= entry.weight + (capacity - channel.entries.capacity) * CHANNEL.place
    this.#memo.clear()
    if (channel.entries.length > 0) return

    this.#empty.add(channel)
    this.#countEmpty(channel, 1)
    const { channels, bytes } = this.#retention
    while (this.#empty.size > channels || this.#emptyBytes > bytes * EMPTY_PART) this.#forget()
  }

  /** Forgets the channel that has been without a message for longest. */
  #forget(): void {
    const channel = this.#empty.first!
    this.#empty.delete(channel)
    this.#countEmpty(channel, -1)
    this.#channels.delete(channel.name)
    this.#bytes -= bytesOf(channel)
    this.#forgotten = Math.max(this.#forgotten, channel.floor)
  }

  /** Takes out what has reached its age, in as many turns of the event loop as it needs. */
  #expire(seq: number): void {
    this.#expired = seq
    this.#trimming ??= setImmediate(() => {
      this.#trimming = undefined
      for (let i = 0; i < EXPIRED_AT_ONCE; i++) {
        const oldest = this.#entries.first
        if (oldest === undefined || oldest.seq > this.#expired) return
        this.#trim(oldest)
      }
      this.#expire(this.#expired)
    })
  }

  /** Hands out what waits, and stops the timers. */
  close(): void {
    this.#closed = true
    this.#expiry.close()
    clearImmediate(this.#trimming)
    this.groups.flush()
  }
}

/** Of one without a message. */
function bytesOf({ name, entries }: Channel): number {
  return CHANNEL.base + heapBytesOf(name.length) + entries.capacity * CHANNEL.place
}
