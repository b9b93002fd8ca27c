import { Batch } from './batch.ts'
import type { Bound, Gap } from './bound.ts'
import type { Choice, Cursor, Start } from './cursor.ts'
import { Epochs, newEpoch } from './epochs.ts'
import { Excerpt } from './excerpt.ts'
import { type InLine, Line } from './line.ts'
import { Memo } from './memo.ts'
import { End, Entry, weightOf } from './message.ts'
import type { Payload } from './payload.ts'
import { type PublishMessage, publishChannel } from './publish-channel.ts'
import { ReaderGroups } from './reader-groups.ts'
import { Ring } from './ring.ts'
import { type Keep, Shelf } from './shelf.ts'
import { Shelves } from './shelves.ts'
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
  /**
   * Other bounds for some channels, by name; a name that ends with one of `. _ : ~ -` stands for all channels that begin
   * so, and the longest that fits counts. What a rule leaves out is as for all: `{ 'prices.': { messages: 1 } }`.
   */
  rules?: Readonly<Record<string, Rule>>
}

/** What is kept of some channels. */
export interface Rule {
  /** Messages kept in each. */
  messages?: number
  /** How long a message is kept, in milliseconds. */
  age?: number
}

/** The same, with every default in its place. */
export type RetentionSettings = Required<Omit<Retention, 'rules'>> & Pick<Retention, 'rules'>

/** Where a reader starts. */
export interface Place {
  readonly seq: number
  /** The hole that it must be told of first. */
  readonly gap: Gap | undefined
  /** Where it was to have only some of what stands there. */
  readonly excerpt?: Excerpt | undefined
}

/** A message that has its place already: a bus got it from elsewhere. */
export interface Placed extends Cursor {
  readonly channel: string
  /** When it was accepted: milliseconds since 1970. */
  readonly time: number
  readonly payload: Omit<Payload, 'size'>
  /** The same, by the clock of performance.now(): its age counts from there. */
  readonly at: number
}

/** What a log that was somewhere else has lost. */
export interface Lost {
  /** All messages up to here have been somewhere, and those that this log has not got are lost. */
  readonly seq: number
  /** The floors of channels that have lost messages. */
  readonly floors: Iterable<readonly [channel: string, floor: number]>
  /** The floor of the channels that are not known. */
  readonly forgotten: number
}

/** One channel's messages, and the highest seq that it has lost. */
interface Channel extends InLine<Channel> {
  readonly name: string
  readonly entries: Ring<Entry>
  readonly shelf: Shelf
  floor: number
}

/** Bytes of heap that a channel takes beside its name, its messages and its places for them, and an empty one more. */
const CHANNEL = { base: 234, empty: 8, place: 8 }

/** The part of the bytes that channels without a message may take. */
const EMPTY_PART = 1 / 4

const NO_ENDS: readonly End[] = []

/**
 * All messages of one bus, in one order, in this process's memory. It is read and watched synchronously: there is no
 * turn of the event loop between a read that finds nothing and the watch that follows it, and so no lost message.
 */
export class Log {
  readonly #epochs = new Epochs()
  readonly #retention: RetentionSettings
  #channels = new Map<string, Channel>()
  /** The channels without a message, the longest empty first. */
  #empty = new Line<Channel>()
  /** The highest floor of a channel that was forgotten: it stands for every unknown one. */
  #forgotten = 0
  #head = 0
  /** All messages. */
  readonly #shelves: Shelves
  /** The ends that hold: each is the last that its channel has. */
  readonly #ends = new Map<string, End>()
  #bytes = 0
  /** Of them, what is kept beside the messages. */
  #charged = 0
  /** Bytes of the channels without a message. */
  #emptyBytes = 0

  /** Who reads it live. */
  readonly groups = new ReaderGroups(this)
  /** Who reads back from it, and when. */
  readonly turns = new Turns()
  readonly #memo = new Memo()
  readonly #onTrim: ((channel: string, floor: number) => void) | undefined

  /** @param onTrim told of each message that retention takes out: its channel and its seq */
  constructor(retention: RetentionSettings, onTrim?: (channel: string, floor: number) => void) {
    this.#retention = retention
    this.#onTrim = onTrim
    const shelf = (keep: Keep) =>
      new Shelf(
        keep,
        () => this.#head,
        (entry) => this.#trim(entry),
      )
    this.#shelves = new Shelves(retention, retention.rules ?? {}, shelf)
  }

  /** The name of the present stretch of the log's history. */
  get epoch(): string {
    return this.#epochs.present
  }

  /** The floor of all channels that are not known. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** The oldest message that is kept. */
  get oldest(): Entry | undefined {
    return this.#shelves.first
  }

  /** The seq of the last message, whether it is still kept or not; 0 where there was none. */
  get head(): number {
    return this.#head
  }

  /** What is kept: channels that hold a message, messages, and the bytes of memory that all of it takes. */
  get kept(): { channels: number; messages: number; bytes: number } {
    return {
      channels: this.#channels.size - this.#empty.size,
      messages: this.#shelves.size,
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

  /**
   * Puts a message at the end, or what marks the channel. Live readers get it once all that came with it is there
   * (`ReaderGroups`). What comes behind an end reopens the channel: whether it may is for the bus to say.
   */
  append(name: string, payload: Payload): Entry {
    return this.#put(this.epoch, this.#head + 1, name, Date.now(), payload)
  }

  /** Puts what has its place already at the end. What stands between is lost: see `lose`. */
  take({ epoch, seq, channel, time, at, payload }: Placed): void {
    if (seq <= this.floor([channel])) {
      this.#head = seq
      return
    }
    this.#shelves.of(channel).note(seq, at)
    this.#put(epoch, seq, channel, time, payload)
  }

  #put(epoch: string, seq: number, name: string, time: number, payload: Omit<Payload, 'size'>): Entry {
    const { mark } = payload
    this.#head = seq
    this.#reopen(name)
    if (mark === 'reopen' || mark === 'delete') {
      // It has a place, so that all instances do it at the same one, and is not kept.
      if (mark === 'delete') this.#trimAll(name)
      this.#memo.clear()
      return new Entry(epoch, seq, name, time, payload)
    }
    const channel = this.#channelFor(name)
    const kind = mark === 'end' ? End : Entry
    const entry = new kind(epoch, seq, channel.name, time, payload)
    if (entry instanceof End) this.#ends.set(channel.name, entry)
    const { capacity } = channel.entries
    channel.entries.push(entry)
    channel.shelf.add(entry)
    this.#bytes += entry.weight + (channel.entries.capacity - capacity) * CHANNEL.place
    this.#memo.clear()

    if (publishChannel.hasSubscribers) {
      const cursor = `${epoch}.${seq}`
      const { size, end } = entry
      publishChannel.publish({ cursor, channel: name, time, size, end } satisfies PublishMessage)
    }
    this.groups.markDirty(channel.name, entry.seq)
    while (channel.entries.length > channel.shelf.keep.messages) this.#trim(channel.entries.at(0))
    this.#fit()
    return entry
  }

  /**
   * Bytes that are kept beside the messages, as idempotency keys are, count with them.
   * @param bytes more, or fewer where it is negative
   */
  charge(bytes: number): void {
    this.#bytes += bytes
    this.#charged += bytes
    this.#fit()
  }

  #channelFor(name: string): Channel {
    let channel = this.#channels.get(name)
    if (channel === undefined) {
      channel = {
        name: detach(name),
        entries: new Ring(),
        shelf: this.#shelves.of(name),
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

  /** A channel that was not known, and has no message. */
  #makeEmpty(name: string): Channel {
    const channel = this.#channelFor(name)
    this.#setEmpty(channel)
    return channel
  }

  #countEmpty(channel: Channel, sign: 1 | -1): void {
    this.#bytes += sign * CHANNEL.empty
    this.#emptyBytes += sign * (bytesOf(channel) + CHANNEL.empty)
  }

  /** Makes room: what was appended last goes last. */
  #fit(): void {
    const { bytes } = this.#retention
    while (this.#bytes > bytes) {
      const { first } = this.#shelves
      if (first === undefined) return
      if (this.#empty.size > 0 && this.#shelves.size === 1) this.#forget()
      else this.#trim(first)
    }
  }

  /** The end of a channel that has ended, for as long as it is kept. */
  endOf(name: string): End | undefined {
    return this.#ends.get(name)
  }

  /** The ends of these channels that stand at a place or before it. */
  endsAt(channels: readonly string[], place: number): readonly End[] {
    if (this.#ends.size === 0) return NO_ENDS
    const ends = []
    for (const name of channels) {
      const end = this.#ends.get(name)
      if (end !== undefined && end.seq <= place) ends.push(end)
    }
    return ends
  }

  /** The channel goes on: its end is a message, or nothing where it had no data. */
  #reopen(name: string): void {
    const end = this.#ends.get(name)
    if (end === undefined) return
    this.#ends.delete(name)
    end.reopened = true
    if (end.bare) this.#remove(end, 'pop')
    this.#memo.clear()
  }

  /** All that a channel has goes: its readers are told of a hole where they have not read it. */
  #trimAll(name: string): void {
    for (;;) {
      const entries = this.#channels.get(name)?.entries
      if (entries === undefined || entries.length === 0) return
      this.#trim(entries.at(0))
    }
  }

  /** The highest floor of these channels. */
  floor(channels: readonly string[]): number {
    let floor = 0
    for (const name of channels) floor = Math.max(floor, this.#channels.get(name)?.floor ?? this.#forgotten)
    return floor
  }

  /** The hole that stands between a place and what these channels still hold after it. */
  gapAfter(seq: number, channels: readonly string[], excerpt?: Excerpt): Gap | undefined {
    const floor = this.floor(channels)
    if (floor <= seq) return undefined
    // What an excerpt leaves out nobody misses.
    if (excerpt !== undefined && channels.every((name) => this.floor([name]) <= excerpt.after(name, seq))) {
      return undefined
    }
    return { reason: 'trimmed', seq: floor }
  }

  /** What a choice takes of these channels, and the place before the first message of it. */
  #choose(choice: Choice, channels: readonly string[]): { seq: number; excerpt: Excerpt } {
    const bounds = new Map<string, number>()
    const whole = 'last' in choice ? { last: choice.last, head: choice.head ?? this.#head } : choice
    let seq = this.#head
    for (const name of channels) {
      const ring = this.#channels.get(name)?.entries
      const from = ring === undefined ? 0 : firstOf(ring, whole)
      bounds.set(name, from === 0 ? this.floor([name]) : ring!.at(from - 1).seq)
      if (ring !== undefined && from < ring.length) seq = Math.min(seq, ring.at(from).seq - 1)
    }
    return { seq, excerpt: new Excerpt(this.epoch, whole, bounds) }
  }

  /** The cursor of a place that a reader starts from. */
  cursorAt(start: Start, channels: readonly string[]): string {
    const { seq, excerpt } = this.locate(start, channels)
    if (excerpt !== undefined) return excerpt.cursor(seq)
    // At a hole it is the place asked for.
    return typeof start === 'object' && 'epoch' in start ? `${start.epoch}.${start.seq}` : this.cursor(seq)
  }

  /** Where a reader of these channels starts, and the hole that it must be told of first. */
  locate(start: Start, channels: readonly string[]): Place {
    if (start === 'now') return { seq: this.#head, gap: undefined }
    const earliest = channels.length === 0 ? this.#head : this.floor(channels)
    if (start === 'earliest') return { seq: earliest, gap: undefined }
    if (!('epoch' in start)) {
      const { seq, excerpt } = this.#choose(start, channels)
      return { seq, gap: undefined, excerpt: excerpt.end > seq ? excerpt : undefined }
    }
    const fork = this.forkAt(start, channels)
    if (fork !== undefined) return { seq: fork.seq, gap: fork }
    const { seq, choice } = start
    if (choice !== undefined) {
      const { excerpt } = this.#choose(choice, channels)
      if (excerpt.end > seq && excerpt.digest(seq) === start.digest) return { seq, gap: undefined, excerpt }
    }
    return { seq, gap: this.gapAfter(seq, channels) }
  }

  /** Up to where an epoch and the present have all in common; undefined where nothing is known of it. */
  commonEnd(epoch: string): number | undefined {
    return epoch === this.epoch ? this.#head : this.#epochs.endOf(epoch)
  }

  /** The present epoch and those before, with their ends. */
  *epochs(): IterableIterator<Cursor> {
    yield { epoch: this.epoch, seq: this.#head }
    yield* this.#epochs.past()
  }

  /** What a reader is to be told who stands where the log's history has not gone on; undefined where it has. */
  forkAt({ epoch, seq }: Cursor, channels: readonly string[]): Gap | undefined {
    const end = this.commonEnd(epoch)
    if (end !== undefined && seq <= end) return undefined
    const floor = this.floor(channels)
    if (end !== undefined) return { reason: 'ahead', seq: Math.max(end, floor) }
    return { reason: 'epoch', seq: channels.length === 0 ? this.#head : floor }
  }

  /**
   * A new epoch begins: the log's history has forked, or may have. What stood after the end that both have in common is
   * gone, and other messages will get those places.
   * @param end undefined where the log starts over: all is gone then, and nothing is in common
   */
  turn(end: number | undefined, epoch: string = newEpoch()): void {
    this.groups.wake(() => {
      this.#memo.clear()
      if (end === undefined) this.#clear(epoch)
      else {
        this.#cut(end)
        this.#epochs.turn(epoch, end)
      }
    })
  }

  #clear(epoch: string): void {
    this.#epochs.startOver(epoch)
    this.#channels = new Map()
    this.#empty = new Line()
    this.#ends.clear()
    this.#bytes = this.#charged
    this.#emptyBytes = 0
    this.#forgotten = 0
    this.#head = 0
    this.#shelves.clear()
  }

  /** Takes out what stands after a place. */
  #cut(end: number): void {
    for (;;) {
      const entry = this.#shelves.last
      if (entry === undefined || entry.seq <= end) break
      if (entry.end) this.#ends.delete(entry.channel)
      this.#remove(entry, 'pop')
    }
    // Above it the same numbers are given again.
    for (const channel of this.#channels.values()) channel.floor = Math.min(channel.floor, end)
    this.#forgotten = Math.min(this.#forgotten, end)
    this.#head = end
    this.#shelves.cut(end)
  }

  /** An epoch that the log came through, as others tell of it. */
  remember(epoch: string, end: number): void {
    this.#epochs.remember(epoch, end)
  }

  /** Others have lost messages that this log has not seen yet, or has still got. */
  lose(lost: Lost): void {
    this.groups.wake(() => this.#lose(lost))
  }

  #lose({ seq, floors, forgotten }: Lost): void {
    this.#head = Math.max(this.#head, seq)
    for (const [name, theirs] of floors) {
      // What others have let go of behind that may still come.
      const floor = Math.min(theirs, this.#head)
      const channel = this.#channels.get(name) ?? this.#makeEmpty(name)
      while (channel.entries.length > 0 && channel.entries.at(0).seq <= floor)
        this.#trim(channel.entries.at(0))
      channel.floor = Math.max(channel.floor, floor)
    }
    this.#forgotten = Math.max(this.#forgotten, Math.min(forgotten, this.#head))
    this.#memo.clear()
  }

  /**
   * The messages of these channels after a place, in log order. Costs O(log n) for each channel and O(1) for each
   * message returned. The place must have no gap.
   * @param excerpt where the reader is to have only some of what stands there
   */
  read(channels: readonly string[], after: number, bound: Bound, excerpt?: Excerpt): Batch {
    const known = excerpt === undefined ? this.#memo.find(channels, after, bound) : undefined
    if (known !== undefined) return known
    const { limit, bytes, until = this.#head } = bound
    const cursors = this.#cursorsAfter(after, channels, excerpt)
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
        const ends = this.endsAt(channels, end)
        const ended = ends.length === 0 ? undefined : ends.map(({ channel }) => channel)
        const batch = new Batch(this.epoch, entries, end, !last, size, ended, excerpt)
        // Nobody else reads up to the same place: it would only push out what others ask for.
        if (entries.length > 0 && bound.until === undefined && excerpt === undefined)
          this.#memo.add(channels, after, bound, batch)
        return batch
      }
      size += entry.size + 1
      entries.push(entry)
      next!.index++
    }
  }

  #cursorsAfter(
    place: number,
    channels: readonly string[],
    excerpt: Excerpt | undefined,
  ): { ring: Ring<Entry>; index: number }[] {
    const cursors = []
    for (const name of channels) {
      const ring = this.#channels.get(name)?.entries
      const after = excerpt?.after(name, place) ?? place
      if (ring === undefined || ring.length === 0 || ring.at(ring.length - 1).seq <= after) continue
      cursors.push({ ring, index: firstWhere(ring, ({ seq }) => seq > after) })
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
    this.#channels.get(entry.channel)!.floor = entry.seq
    if (entry.end) this.#ends.delete(entry.channel)
    this.#remove(entry, 'shift')
    this.#onTrim?.(entry.channel, entry.seq)
  }

  /** Takes the oldest or the youngest message of its channel out. */
  #remove(entry: Entry, how: 'shift' | 'pop'): void {
    const channel = this.#channels.get(entry.channel)!
    const { capacity } = channel.entries
    channel.entries[how]()
    channel.shelf.delete(entry)
    this.#bytes -= entry.weight + (capacity - channel.entries.capacity) * CHANNEL.place
    this.#memo.clear()
    if (channel.entries.length === 0) this.#setEmpty(channel)
  }

  #setEmpty(channel: Channel): void {
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

  /** Hands out what waits, and stops the timers. */
  close(): void {
    this.#shelves.close()
    this.groups.flush()
  }
}

/** The index of the first of which it is true, as it is of all behind it; the length where there is none. */
function firstWhere(ring: Ring<Entry>, is: (entry: Entry) => boolean): number {
  let low = 0
  let high = ring.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (is(ring.at(middle))) high = middle
    else low = middle + 1
  }
  return low
}

/** The index of the first message that a choice takes. */
function firstOf(ring: Ring<Entry>, choice: Choice): number {
  if ('since' in choice) return firstWhere(ring, ({ time }) => time >= choice.since)
  const { last, head = Infinity } = choice
  const behind = firstWhere(ring, ({ seq }) => seq > head)
  // An end without data is none of the last messages: the last one is the channel's state also behind its end.
  const more = behind > 0 && ring.at(behind - 1).bare ? 1 : 0
  return Math.max(0, behind - last - more)
}

/** Of one without a message. */
function bytesOf({ name, entries }: Channel): number {
  return CHANNEL.base + heapBytesOf(name.length) + entries.capacity * CHANNEL.place
}
