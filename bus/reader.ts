import type { Batch, Encoder } from './batch.ts'
import type { Gap } from './bound.ts'
import type { Start } from './cursor.ts'
import type { Excerpt } from './excerpt.ts'
import { NOWHERE } from './indexed-set.ts'
import type { Log } from './log.ts'
import type { End } from './message.ts'
import { type Member, type ReaderGroup, STEP } from './reader-group.ts'

/** A transport as the core sees it: it takes batches and gaps in order, and encodes and writes them. */
export interface Sink {
  /** Whether the reader must wait. After `drain`, the sink calls the reader's `resume`. */
  readonly full: boolean
  /** The encoder of its batches, if its cost counts. */
  readonly encoder?: Encoder<unknown>
  /** Takes a whole batch, even if it is full. */
  batch(batch: Batch): void
  /** Takes a gap. `channel` is set for a gap in the replay of a channel that is being added. */
  gap(gap: Gap, channel?: string): void
  /** Takes an end before the reader's place. @param cursor the place to resume from */
  end(end: End, cursor: string): void
  /** All channels have ended, and the sink got every end. Called again if a channel was reopened meanwhile. */
  finished(): void
}

/** The effort of a delivery that may have to compress its batch, in writes. */
const COMPRESSED = 4

/** A channel that is being added. Its messages are first replayed up to the reader's place. */
interface Joining {
  readonly channel: string
  /** The place that the reader must reach first. */
  need: number
  at: number
  /** Whether an end before it is still to be delivered. */
  untold: boolean
  readonly done: () => void
}

/**
 * A streaming reader: it reads what the log holds after its place, then waits for new messages. No turn of the event
 * loop lies between the last read and the watch. While its sink is full, the reader pauses and buffers nothing: it
 * continues from the log later.
 */
export class Reader implements Member {
  readonly #log: Log
  readonly #sink: Sink
  #channels: readonly string[]
  group: ReaderGroup | undefined
  indexInGroup = NOWHERE
  seen = 0
  /** The epoch of its place. */
  #epoch: string
  #at: number
  /** The last place sent to the client. The reader's own place advances without messages too. */
  #told: number
  /** A gap at the start that is still to be delivered. */
  #hole: Gap | undefined
  /** Set if the reader started with `last:N` or `since:MS`. */
  #excerpt: Excerpt | undefined
  /** Whether an end before its place is still to be delivered: at the start, and after a gap. */
  #untold = true
  #joining: Joining | undefined
  /** Whether it waits for its turn. */
  #queued = false
  #ended = false

  /**
   * @param channels sorted and unique
   * @param start where to start. Nothing is delivered before `resume`
   */
  constructor(log: Log, channels: readonly string[], start: Start, sink: Sink) {
    this.#log = log
    this.#sink = sink
    // Readers of the same channels share one list of names, which keeps no request alive.
    this.#channels = log.groups.of(channels).channels
    const { seq, gap, excerpt } = log.locate(start, channels)
    this.#epoch = log.epoch
    this.#at = seq
    this.#told = seq
    this.#hole = gap
    this.#excerpt = excerpt
  }

  get channels(): readonly string[] {
    return this.#channels
  }

  /** The seq up to which the sink got every message. */
  get place(): number {
    return this.group?.placeOf(this) ?? this.#at
  }

  /** The cursor of its place. */
  get cursor(): string {
    return this.#excerpt?.cursor(this.#at) ?? `${this.#epoch}.${this.place}`
  }

  /** The cursor of its place; the client may resume from it. */
  tellPlace(): string {
    this.#told = this.place
    return this.cursor
  }

  /** The first of a group compresses for all of them. Which one that is, is not known before. */
  get effort(): number {
    return this.#sink.encoder?.compresses ? COMPRESSED : 1
  }

  /** Starts the reader, and continues after the sink has drained. */
  resume(): void {
    if (this.group === undefined && !this.#queued && !this.#ended) this.#pump()
  }

  /** Continues in a later turn of the event loop, after the readers that wait already. */
  #queue(): void {
    this.#queued = true
    this.#log.turns.wait(() => {
      this.#queued = false
      this.resume()
    })
  }

  deliver(after: number): void {
    this.#at = after
    const batch = this.#sink.full ? undefined : this.group!.next(after)
    if (batch !== undefined) {
      this.#at = batch.end
      this.seen = batch.end
      if (batch.entries.length > 0) this.#send(batch)
      if (!batch.more && !this.#sink.full) {
        if (this.group?.over(batch)) this.#sink.finished()
        return
      }
    }
    this.#leave()
    this.#pump()
  }

  turned(after: number): void {
    this.#at = after
    this.#leave()
    this.#pump()
  }

  /** Checks the place after a new epoch: the client may have got messages that the log has lost. */
  #relocate(): void {
    const log = this.#log
    const end = log.commonEnd(this.#epoch)
    const fork = log.forkAt({ epoch: this.#epoch, seq: this.#told }, this.#channels)
    this.#epoch = log.epoch
    this.#at = fork?.seq ?? Math.min(this.#at, end!)
    if (fork === undefined) this.#excerpt = this.#excerpt?.cut(end!, this.#at)
    // A gap that is still to be delivered keeps its reason.
    if (this.#hole !== undefined) this.#hole = { reason: this.#hole.reason, seq: this.#at }
    else this.#hole = fork
    if (this.#joining !== undefined) this.#relocateJoining(this.#joining, end)
  }

  #relocateJoining(joining: Joining, end = 0): void {
    const lost = joining.at > end
    joining.need = Math.min(joining.need, this.#at)
    joining.at = Math.min(joining.at, this.#at)
    if (lost) this.#sink.gap({ reason: 'ahead', seq: joining.at }, joining.channel)
  }

  #send(batch: Batch): void {
    this.#told = batch.entries.at(-1)!.seq
    this.#sink.batch(batch)
  }

  #leave(): void {
    this.group?.leave(this)
  }

  #pump(): void {
    const { turns } = this.#log
    let mayGo = !turns.spent
    while (!this.#sink.full && !this.#ended) {
      if (!mayGo) {
        this.#queue()
        return
      }
      if (this.#epoch !== this.#log.epoch) this.#relocate()
      // One step per waiting reader.
      mayGo = !turns.spent && turns.waiting === 0
      if (this.#joining !== undefined && this.#at >= this.#joining.need) {
        this.#replay(this.#joining)
        mayGo &&= !turns.spent
        continue
      }
      const group = this.#log.groups.of(this.#channels)
      const gap = this.#hole ?? group.gapAfter(this.#at, this.#excerpt)
      if (gap !== undefined) {
        this.#hole = undefined
        this.#excerpt = undefined
        this.#at = gap.seq
        this.#told = gap.seq
        this.#untold = true
        this.#sink.gap(gap)
        continue
      }
      if (this.#untold) {
        this.#untold = false
        for (const end of this.#log.endsAt(this.#channels, this.#at)) this.#sink.end(end, this.cursor)
      }
      const batch = group.read(this.#at, STEP, this.#excerpt)
      this.#at = batch.end
      if (this.#excerpt !== undefined && batch.end >= this.#excerpt.end) this.#excerpt = undefined
      if (batch.entries.length > 0) {
        turns.charge(batch, this.#sink.encoder)
        this.#send(batch)
        // A read that finds nothing costs next to nothing.
        mayGo = !batch.more || (mayGo && !turns.spent)
      } else if (this.#joining === undefined) {
        this.#channels = group.channels
        group.join(this)
        if (group.over(batch)) this.#sink.finished()
        return
      }
    }
  }

  /** One step of the replay of a channel that is being added, up to the reader's place. */
  #replay(joining: Joining): void {
    const channels = [joining.channel]
    const gap = this.#log.gapAfter(joining.at, channels)
    if (gap !== undefined && joining.at < this.#at) {
      // The reader itself will report a gap past its own place.
      joining.at = Math.min(gap.seq, this.#at)
      joining.untold = true
      this.#sink.gap({ reason: 'trimmed', seq: joining.at }, joining.channel)
      return
    }
    if (joining.untold) {
      joining.untold = false
      for (const end of this.#log.endsAt(channels, joining.at)) this.#sink.end(end, this.#log.cursor(end.seq))
    }
    const batch = this.#log.read(channels, joining.at, { ...STEP, until: this.#at })
    joining.at = batch.end
    if (batch.entries.length > 0) {
      this.#log.turns.charge(batch, this.#sink.encoder)
      this.#sink.batch(batch)
      return
    }
    this.#channels = [...this.#channels, joining.channel].sort()
    this.#joining = undefined
    joining.done()
  }

  /**
   * Adds a channel. From an older place, its messages are replayed up to the reader's place, with no other message in
   * between. A start ahead of a slow reader is reached first.
   * @param done called between the replayed messages and the following ones, or when the reader ends first
   */
  add(channel: string, start: Start, done: () => void): void {
    if (this.#ended) {
      done()
      return
    }
    if (this.#epoch !== this.#log.epoch) this.#relocate()
    const { seq, gap } = this.#log.locate(start, [channel])
    if (gap !== undefined) this.#sink.gap(gap, channel)
    this.#at = this.place
    this.#leave()
    // After a gap it joins at the gap's cursor, or the reader would get the same gap again.
    const at = gap?.seq ?? seq
    // Not while the reader has an excerpt: its cursor covers only the channels of the excerpt.
    const need = Math.max(at, this.#excerpt?.end ?? 0)
    this.#joining = { channel, need, at, untold: true, done }
    this.resume()
  }

  /** Removes a channel. None of its messages follows. */
  remove(channel: string): void {
    this.#at = this.place
    this.#leave()
    this.#channels = this.#channels.filter((name) => name !== channel)
    this.#excerpt = this.#excerpt?.without(channel)
    this.resume()
  }

  /** Ends the reader, which delivers nothing afterwards. May be called more than once. */
  end(): void {
    this.#ended = true
    this.#leave()
    this.#joining?.done()
    this.#joining = undefined
  }
}
