import type { Batch } from './batch.ts'
import type { Gap } from './bound.ts'
import type { Start } from './cursor.ts'
import type { Excerpt } from './excerpt.ts'
import { NOWHERE } from './indexed-set.ts'
import type { Log } from './log.ts'
import type { End } from './message.ts'
import { type Member, type ReaderGroup, STEP } from './reader-group.ts'

/** What a transport is to the core: it takes batches and gaps in order, knows its socket and its form. */
export interface Sink {
  /** Whether to wait. A sink that was full calls the reader's `resume` when it has drained. */
  readonly full: boolean
  /** Takes a batch, whole, full or not. */
  batch(batch: Batch): void
  /** Takes a hole. A hole in the replay of a channel that is being added comes with that channel's name. */
  gap(gap: Gap, channel?: string): void
  /** Takes an end that stands before the reader's place. @param cursor where to go on */
  end(end: End, cursor: string): void
  /** All of its channels have ended, and it has been told so. Called more than once where one was reopened meanwhile. */
  finished(): void
}

/** A channel that is being added: its own messages are replayed up to the reader's place first. */
interface Joining {
  readonly channel: string
  /** How far the reader itself must have come. */
  need: number
  at: number
  /** Whether an end that stands before it has still to be told. */
  untold: boolean
  readonly done: () => void
}

/**
 * A reader that stays: what the log holds after its place, then what comes next, with no turn of the event loop
 * between the last read and the first watch. While its sink is full it is paused and nothing is kept for it: the log
 * is the buffer, and it reads on from there.
 */
export class Reader implements Member {
  readonly #log: Log
  readonly #sink: Sink
  #channels: readonly string[]
  group: ReaderGroup | undefined
  indexInGroup = NOWHERE
  seen = 0
  /** The epoch that its place was taken in. */
  #epoch: string
  #at: number
  /** The last place that its client was told of: the place itself goes on while nothing comes. */
  #told: number
  /** A hole at the start, not told yet. */
  #hole: Gap | undefined
  /** Where it was to have only some of what stands there. */
  #excerpt: Excerpt | undefined
  /** Whether an end that stands before its place has still to be told: at the start, and behind a hole. */
  #untold = true
  #joining: Joining | undefined
  /** Waits for its turn. */
  #queued = false
  #ended = false

  /**
   * @param channels sorted, each once
   * @param start `resume` starts it: a hole there is told first
   */
  constructor(log: Log, channels: readonly string[], start: Start, sink: Sink) {
    this.#log = log
    this.#sink = sink
    // All who read the same share one list of names, which keeps nothing of a request.
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

  /** All of its channels up to here has been handed to the sink. */
  get place(): number {
    return this.group?.placeOf(this) ?? this.#at
  }

  /** The cursor of its place. */
  get cursor(): string {
    return this.#excerpt?.cursor(this.#at) ?? `${this.#epoch}.${this.place}`
  }

  /** The cursor of its place, for its client. */
  tellPlace(): string {
    this.#told = this.place
    return this.cursor
  }

  /** Starts it, and goes on after the sink has drained. */
  resume(): void {
    if (this.group === undefined && !this.#queued && !this.#ended) this.#pump()
  }

  /** Goes on in a later turn of the event loop; others were there before. */
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

  /** The log has turned since its place was taken: what its client has got may not have been what the log went on with. */
  #relocate(): void {
    const log = this.#log
    const end = log.commonEnd(this.#epoch)
    const fork = log.forkAt({ epoch: this.#epoch, seq: this.#told }, this.#channels)
    this.#epoch = log.epoch
    this.#at = fork?.seq ?? Math.min(this.#at, end!)
    if (fork === undefined) this.#excerpt = this.#excerpt?.cut(end!, this.#at)
    // One that is not told yet has its reason still.
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
      // One step for each in line.
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
        turns.charge(batch)
        this.#send(batch)
        // To find that nothing has come since costs next to nothing.
        mayGo = !batch.more || (mayGo && !turns.spent)
      } else if (this.#joining === undefined) {
        this.#channels = group.channels
        group.join(this)
        if (group.over(batch)) this.#sink.finished()
        return
      }
    }
  }

  /** One step of the replay of the channel that is being added, up to the reader's own place. */
  #replay(joining: Joining): void {
    const channels = [joining.channel]
    const gap = this.#log.gapAfter(joining.at, channels)
    if (gap !== undefined && joining.at < this.#at) {
      // Past the reader's place it is no longer this replay's affair: the reader will meet that hole by itself.
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
      this.#log.turns.charge(batch)
      this.#sink.batch(batch)
      return
    }
    this.#channels = [...this.#channels, joining.channel].sort()
    this.#joining = undefined
    joining.done()
  }

  /**
   * Adds a channel that the reader does not follow yet. From an older place it is replayed up to the reader's own,
   * with nothing between; one that is ahead of the reader's, as that of a slow reader may be, is waited for.
   * @param done called in the right place of the stream, what was replayed before it, what comes next behind it; also
   * where the reader ends first
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
    // Behind a hole it joins where all is there, or the reader would meet the same hole again.
    const at = gap?.seq ?? seq
    // Nor while it reads what was chosen of the others: a cursor from there names those alone.
    const need = Math.max(at, this.#excerpt?.end ?? 0)
    this.#joining = { channel, need, at, untold: true, done }
    this.resume()
  }

  /** Drops a channel: nothing of it follows. */
  remove(channel: string): void {
    this.#at = this.place
    this.#leave()
    this.#channels = this.#channels.filter((name) => name !== channel)
    this.#excerpt = this.#excerpt?.without(channel)
    this.resume()
  }

  /** Nothing is delivered after it; ending twice is harmless. */
  end(): void {
    this.#ended = true
    this.#leave()
    this.#joining?.done()
    this.#joining = undefined
  }
}
