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
import type { RetentionSettings } from './retention.ts'
import { Ring } from './ring.ts'
import { type Keep, Shelf } from './shelf.ts'
import { Shelves } from './shelves.ts'
import { detach, heapBytesOf } from './text.ts'
import { Turns } from './turns.ts'

/** Where a reader starts. */
export interface Place {
  readonly seq: number
  /** The gap to report before any message. */
  readonly gap: Gap | undefined
  /** Set if the reader started with `last:N` or `since:MS`. */
  readonly excerpt?: Excerpt | undefined
}

/** A message that got its place from the bus's engine. */
export interface Placed extends Cursor {
  readonly channel: string
  /** When it was accepted: milliseconds since 1970. */
  readonly time: number
  readonly payload: Omit<Payload, 'size'>
  /** When it was accepted, by performance.now(). Its age counts from there. */
  readonly at: number
}

/** Messages that the engine has trimmed. */
export interface Lost {
  /** The seq up to which any message that this log lacks is lost. */
  readonly seq: number
  /** The floors of channels that have lost messages. */
  readonly floors: Iterable<readonly [channel: string, floor: number]>
  /** The floor of unknown channels. */
  readonly forgotten: number
}

/** A history that the bus learnt from its engine. */
export interface Adopted {
  readonly epoch: string
  /** The seq up to which this log shares the history; undefined if they share nothing. */
  readonly common: number | undefined
  /** The past epochs, oldest first. */
  readonly ancestors: Iterable<Cursor>
  /** Whether `placed` begins with the oldest kept message: then it replaces the content of the log. */
  readonly whole: boolean
  /** The entries after the log's head, or all of them, in order. */
  readonly placed: Iterable<Placed>
  readonly lost: Lost | undefined
}

/** A message that is no longer kept, or never was because it only marked its channel. */
export interface Gone {
  readonly channel: string
  readonly seq: number
  /** The bytes that it took, approximately. */
  readonly weight: number
}

/** The messages of one channel, and the highest seq that it has lost. */
interface Channel extends InLine<Channel> {
  readonly name: string
  readonly entries: Ring<Entry>
  readonly shelf: Shelf
  floor: number
}

/**
 * Bytes of heap per channel without its name and messages, extra bytes of an empty one, and bytes per slot of its ring.
 */
const CHANNEL = { base: 234, empty: 8, place: 8 }

/** Weight of an entry that only marks its channel. */
const MARK = 64

/** Share of `bytes` that empty channels may take. */
const EMPTY_PART = 1 / 4

const NO_ENDS: readonly End[] = []

/**
 * All messages of one bus, in order, in this process's memory. Reads and watches are synchronous: no turn of the event
 * loop lies between a read that finds nothing and the watch that follows, so no message is missed.
 */
export class Log {
  readonly #epochs = new Epochs()
  readonly #retention: RetentionSettings
  #channels = new Map<string, Channel>()
  /** The empty channels; the one that has been empty for longest comes first. */
  #empty = new Line<Channel>()
  /** The highest floor of the channels that were forgotten. It is the floor of every unknown channel. */
  #forgotten = 0
  #head = 0
  /** All messages. */
  readonly #shelves: Shelves
  /** The ends of channels that have ended. Each is the last entry of its channel. */
  readonly #ends = new Map<string, End>()
  #bytes = 0
  /** The part of `#bytes` that is charged from outside. */
  #charged = 0
  /** Bytes of the empty channels. */
  #emptyBytes = 0

  /** Live readers. */
  readonly groups = new ReaderGroups(this)
  /** Schedules readers that read old messages. */
  readonly turns = new Turns()
  readonly #memo = new Memo()
  readonly #onGone: ((gone: Gone) => void) | undefined
  readonly #onFloor: ((channel: string) => void) | undefined
  /** The last place at which an end or deleted messages disappeared. Cutting the log back does not restore them. */
  #undone = 0

  /**
   * @param onGone called for each place whose message is not or no longer kept
   * @param onFloor called for each channel that is forgotten, or that starts with the floor of forgotten ones
   */
  constructor(
    retention: RetentionSettings,
    onGone?: (gone: Gone) => void,
    onFloor?: (channel: string) => void,
  ) {
    this.#retention = retention
    this.#onGone = onGone
    this.#onFloor = onFloor
    const shelf = (keep: Keep) =>
      new Shelf(
        keep,
        () => this.#head,
        (entry) => this.#trim(entry),
      )
    this.#shelves = new Shelves(retention, retention.rules ?? {}, shelf)
  }

  /** The present epoch. */
  get epoch(): string {
    return this.#epochs.present
  }

  /** The floor of every unknown channel. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** Whether the message at this place is kept. */
  keeps(name: string, seq: number): boolean {
    const ring = this.#channels.get(name)?.entries
    if (ring === undefined) return false
    const index = firstWhere(ring, (entry) => entry.seq >= seq)
    return index < ring.length && ring.at(index).seq === seq
  }

  /** Whether the log knows a channel: it has messages, or its floor is remembered. */
  knows(name: string): boolean {
    return this.#channels.has(name)
  }

  /** The channels that have a floor. */
  *floored(): IterableIterator<string> {
    for (const { name, floor } of this.#channels.values()) if (floor > 0) yield name
  }

  /** The oldest message that is kept. */
  get oldest(): Entry | undefined {
    return this.#shelves.first
  }

  /** All kept entries, in no particular order. */
  entries(): IterableIterator<Entry> {
    return this.#shelves.entries()
  }

  /** The seq of the last message, kept or not; 0 before the first. */
  get head(): number {
    return this.#head
  }

  /** Number of channels with a message, number of messages, and memory in use, in bytes. */
  get kept(): { channels: number; messages: number; bytes: number } {
    return {
      channels: this.#channels.size - this.#empty.size,
      messages: this.#shelves.size,
      bytes: this.#bytes,
    }
  }

  /** An empty batch at the head. */
  get nothing(): Batch {
    return new Batch(this.epoch, [], this.#head, false)
  }

  cursor(seq: number): string {
    return `${this.epoch}.${seq}`
  }

  /** Upper bound of the memory that a new message would take, in bytes. */
  weightOf(name: string, payload: Payload): number {
    const room = this.#channels.has(name) ? 0 : CHANNEL.base + heapBytesOf(name.length)
    return weightOf(name, payload) + room + CHANNEL.place
  }

  /**
   * Appends a message or a mark. Live readers get it together with everything else of this turn (`ReaderGroups`). An
   * entry after an end reopens the channel: the bus decides whether it may.
   */
  append(name: string, payload: Payload): Entry {
    return this.#put(this.epoch, this.#head + 1, name, Date.now(), payload)
  }

  /** Appends an entry that has its place. Entries skipped before it are lost: see `lose`. */
  take({ epoch, seq, channel, time, at, payload }: Placed): void {
    if (seq <= this.floor([channel])) {
      this.pass({ channel, seq, weight: weightOf(channel, payload) })
      return
    }
    this.#shelves.of(channel).note(seq, at)
    this.#put(epoch, seq, channel, time, payload)
  }

  /** Skips the next place, whose message is no longer kept. */
  pass(gone: Gone): void {
    this.#head = gone.seq
    this.#onGone?.(gone)
  }

  #put(epoch: string, seq: number, name: string, time: number, payload: Omit<Payload, 'size'>): Entry {
    const { mark } = payload
    this.#head = seq
    this.#reopen(name)
    if (mark === 'reopen' || mark === 'delete') {
      // It has a place so that all instances apply it at the same one. It is not kept.
      if (mark === 'delete') this.#trimAll(name)
      this.#memo.clear()
      this.#onGone?.({ channel: name, seq, weight: MARK })
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
   * Charges memory outside of the messages, such as idempotency keys, against `retention.bytes`.
   * @param bytes the change; may be negative
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
      if (channel.floor > 0) this.#onFloor?.(channel.name)
    } else if (channel.entries.length === 0) {
      this.#empty.delete(channel)
      this.#countEmpty(channel, -1)
    }
    return channel
  }

  /** Adds an unknown channel without a message. */
  #makeEmpty(name: string): Channel {
    const channel = this.#channelFor(name)
    this.#setEmpty(channel)
    return channel
  }

  #countEmpty(channel: Channel, sign: 1 | -1): void {
    this.#bytes += sign * CHANNEL.empty
    this.#emptyBytes += sign * (bytesOf(channel) + CHANNEL.empty)
  }

  /** Removes the oldest messages until the log fits into `retention.bytes`. */
  #fit(): void {
    const { bytes } = this.#retention
    while (this.#bytes > bytes) {
      const { first } = this.#shelves
      if (first === undefined) return
      if (this.#empty.size > 0 && this.#shelves.size === 1) this.#forget()
      else this.#trim(first)
    }
  }

  /** The end of a channel, if it has ended and the end is kept. */
  endOf(name: string): End | undefined {
    return this.#ends.get(name)
  }

  /** The ends of these channels at or before a place. */
  endsAt(channels: readonly string[], place: number): readonly End[] {
    if (this.#ends.size === 0) return NO_ENDS
    const ends = []
    for (const name of channels) {
      const end = this.#ends.get(name)
      if (end !== undefined && end.seq <= place) ends.push(end)
    }
    return ends
  }

  /** Reopens a channel. Its end becomes a message, or disappears if it had no data. */
  #reopen(name: string): void {
    const end = this.#ends.get(name)
    if (end === undefined) return
    this.#ends.delete(name)
    this.#undone = this.#head
    end.reopened = true
    if (end.bare) {
      this.#remove(end, 'pop')
      this.#onGone?.(end)
    }
    this.#memo.clear()
  }

  /** Removes every message of a channel. Readers that have not read them get a gap. */
  #trimAll(name: string): void {
    for (;;) {
      const entries = this.#channels.get(name)?.entries
      if (entries === undefined || entries.length === 0) return
      this.#undone = this.#head
      this.#trim(entries.at(0))
    }
  }

  /** The highest floor of these channels. */
  floor(channels: readonly string[]): number {
    let floor = 0
    for (const name of channels) floor = Math.max(floor, this.#channels.get(name)?.floor ?? this.#forgotten)
    return floor
  }

  /** The gap, if any, between a place and the messages that these channels still hold after it. */
  gapAfter(seq: number, channels: readonly string[], excerpt?: Excerpt): Gap | undefined {
    const floor = this.floor(channels)
    if (floor <= seq) return undefined
    // Messages that the excerpt leaves out are not missing.
    if (excerpt !== undefined && channels.every((name) => this.floor([name]) <= excerpt.after(name, seq))) {
      return undefined
    }
    return { reason: 'trimmed', seq: floor }
  }

  /** The excerpt of a choice, and the place before its first message. */
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

  /** The cursor of a reader's start. */
  cursorAt(start: Start, channels: readonly string[]): string {
    const { seq, excerpt } = this.locate(start, channels)
    if (excerpt !== undefined) return excerpt.cursor(seq)
    // At a gap it is the cursor of the request.
    return typeof start === 'object' && 'epoch' in start ? `${start.epoch}.${start.seq}` : this.cursor(seq)
  }

  /** The place where a reader starts, and the gap to report first. */
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

  /** The seq up to which an epoch shares its history with the present one; undefined for an unknown epoch. */
  commonEnd(epoch: string): number | undefined {
    return epoch === this.epoch ? this.#head : this.#epochs.endOf(epoch)
  }

  /** The present epoch and the past ones, with their ends. */
  *epochs(): IterableIterator<Cursor> {
    yield { epoch: this.epoch, seq: this.#head }
    yield* this.#epochs.past()
  }

  /** The gap of a cursor that is not part of the present history; undefined if it is part of it. */
  forkAt({ epoch, seq }: Cursor, channels: readonly string[]): Gap | undefined {
    const end = this.commonEnd(epoch)
    if (end !== undefined && seq <= end) return undefined
    const floor = this.floor(channels)
    if (end !== undefined) return { reason: 'ahead', seq: Math.max(end, floor) }
    return { reason: 'epoch', seq: channels.length === 0 ? this.#head : floor }
  }

  /**
   * Begins a new epoch, because the log's history has forked or may have. Entries after `end` are lost, and new ones
   * will get their seqs.
   * @param end the seq up to which both histories are equal; undefined if the log starts over empty
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

  /** Whether a channel has ended. */
  get hasEnds(): boolean {
    return this.#ends.size > 0
  }

  /** Whether a turn at this end restores the ends and channels of that place: reopened or deleted ones are lost. */
  canTurn(end: number): boolean {
    return this.#undone <= end
  }

  /** Adopts a history, in one step for all readers. */
  adopt({ epoch, common, ancestors, whole, placed, lost }: Adopted): void {
    this.groups.wake(() => {
      this.#memo.clear()
      if (epoch !== this.epoch) {
        if (common === undefined) this.#clear(epoch)
        else {
          // The log may not have read all that it has in common with its engine.
          this.#cut(Math.min(common, this.#head))
          this.#epochs.turn(epoch, common)
        }
        // For the same reason the ends are the engine's.
        for (const past of ancestors) this.remember(past.epoch, past.seq)
      }
      if (whole) this.#reset()
      for (const each of placed) if (each.seq > this.#head) this.take(each)
      if (lost !== undefined) this.#lose(lost)
    })
  }

  #clear(epoch: string): void {
    this.#epochs.startOver(epoch)
    this.#reset()
  }

  #reset(): void {
    this.#channels = new Map()
    this.#empty = new Line()
    this.#ends.clear()
    this.#bytes = this.#charged
    this.#emptyBytes = 0
    this.#forgotten = 0
    this.#head = 0
    this.#undone = 0
    this.#shelves.clear()
  }

  /** Removes every entry after a place. */
  #cut(end: number): void {
    for (;;) {
      const entry = this.#shelves.last
      if (entry === undefined || entry.seq <= end) break
      if (entry.end) this.#ends.delete(entry.channel)
      this.#remove(entry, 'pop')
    }
    // New entries get the seqs above it again.
    for (const channel of this.#channels.values()) channel.floor = Math.min(channel.floor, end)
    this.#forgotten = Math.min(this.#forgotten, end)
    this.#head = end
    this.#undone = Math.min(this.#undone, end)
    this.#shelves.cut(end)
  }

  /** Adds a past epoch that the bus learnt from its engine. */
  remember(epoch: string, end: number): void {
    this.#epochs.remember(epoch, end)
  }

  /** Applies trims of the engine, to messages that this log holds or has not seen yet. */
  lose(lost: Lost): void {
    this.groups.wake(() => this.#lose(lost))
  }

  #lose({ seq, floors, forgotten }: Lost): void {
    this.#head = Math.max(this.#head, seq)
    for (const [name, theirs] of floors) {
      // A floor above the head belongs to messages that may still arrive.
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
   * Reads the messages of these channels after a place, in log order: O(log n) per channel and O(number of channels)
   * per message returned. The place must have no gap.
   * @param excerpt set if the reader started with `last:N` or `since:MS`
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
        // No other reader reads up to the same place: the batch would only evict useful ones.
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

  /** Removes the oldest message of a channel. */
  #trim(entry: Entry): void {
    // A live reader that keeps up must not get a gap because one turn published more than is kept. (Not from within a
    // flush, in which a user's hook published: later readers would get the later message first.)
    if (this.groups.waitFor(entry.seq)) {
      this.groups.flush()
      return
    }
    this.#channels.get(entry.channel)!.floor = entry.seq
    if (entry.end) this.#ends.delete(entry.channel)
    this.#remove(entry, 'shift')
    this.#onGone?.(entry)
  }

  /** Removes an entry that is the oldest or the youngest of its channel. */
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

  /** Forgets the channel that has been empty for longest. */
  #forget(): void {
    const channel = this.#empty.first!
    this.#empty.delete(channel)
    this.#countEmpty(channel, -1)
    this.#channels.delete(channel.name)
    this.#bytes -= bytesOf(channel)
    this.#forgotten = Math.max(this.#forgotten, channel.floor)
    this.#onFloor?.(channel.name)
  }

  /** Delivers pending messages and stops the timers. */
  close(): void {
    this.#shelves.close()
    this.groups.flush()
  }
}

/** Binary search: the index of the first entry that matches, or the length. Entries after a match must match too. */
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

/** The index of the first message of a choice. */
function firstOf(ring: Ring<Entry>, choice: Choice): number {
  if ('since' in choice) return firstWhere(ring, ({ time }) => time >= choice.since)
  const { last, head = Infinity } = choice
  const behind = firstWhere(ring, ({ seq }) => seq > head)
  // An end without data does not count: the last message is the channel's state after its end too.
  const more = behind > 0 && ring.at(behind - 1).bare ? 1 : 0
  return Math.max(0, behind - last - more)
}

/** Bytes of a channel without messages. */
function bytesOf({ name, entries }: Channel): number {
  return CHANNEL.base + heapBytesOf(name.length) + entries.capacity * CHANNEL.place
}
