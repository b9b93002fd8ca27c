import type { GapReason, Message } from '../../client/index.ts'
import { isWhole, type Published } from './payload.ts'
import { CHANNELS, type Life, type Place, type Record } from './record.ts'

/** What may not be, counted; the first of each kind are told. */
export class Violations {
  readonly counts = new Map<string, number>()
  readonly texts: string[] = []

  add(kind: string, text: string): void {
    const count = (this.counts.get(kind) ?? 0) + 1
    this.counts.set(kind, count)
    if (count <= 5) this.texts.push(`${kind}: ${text}`)
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }
}

interface ToldGap {
  readonly reason: GapReason
  readonly from: Place | undefined
  readonly to: Place
}

/**
 * Holds what one reader is given against the record. Between two places all messages of the reader's channels must
 * have come, or lie within a gap that was told; a gap must have something missing in it.
 */
export class Judge {
  readonly name: string
  readonly asked: ReadonlySet<number>
  messages = 0
  gaps = 0
  readonly #record: Record
  readonly #violations: Violations
  readonly #sizeOf: (id: number) => number
  /** All up to here has come, or was told. Undefined before the first message. */
  #place: Place | undefined
  /** Told, and not passed yet: a loop takes messages later than the feed hears of gaps. */
  #told: ToldGap[] = []

  constructor(
    name: string,
    asked: ReadonlySet<number>,
    record: Record,
    violations: Violations,
    sizeOf: (id: number) => number,
  ) {
    this.name = name
    this.asked = asked
    this.#record = record
    this.#violations = violations
    this.#sizeOf = sizeOf
  }

  #fault(kind: string, text: string): void {
    const place = this.#place ? `${this.#place.life.number}:${this.#place.seq}` : 'its start'
    this.#violations.add(kind, `${this.name}, at ${place}: ${text}`)
  }

  message({ cursor, channel, data }: Message<Published>): void {
    this.messages++
    const place = this.#record.place(cursor)
    if (place === undefined || place.seq > place.life.head) {
      this.#fault('wrong', `${cursor} was never accepted`)
      return
    }
    const { life, seq } = place
    if (CHANNELS[life.channelOf(seq)] !== channel || life.idOf(seq) !== data.id) {
      this.#fault('wrong', `${seq} is number ${data.id} of ${channel}`)
    } else if (!isWhole(data, this.#sizeOf(data.id))) this.#fault('wrong', `the data of ${seq}`)
    if (!this.asked.has(life.channelOf(seq))) this.#fault('wrong', `${seq} of ${channel} was not asked for`)

    this.#place ??= this.#startBefore(life, seq)
    if (this.#place === undefined) this.#begin(life, seq)
    else {
      this.#pass(life, seq)
      const { life: there, seq: at } = this.#place
      if (there !== life) this.#fault('untold hole', `epoch ${life.number}`)
      else if (seq <= at) {
        this.#fault('repeated', `${seq}`)
        return
      } else this.#complete(at, seq, life, 'untold hole')
    }
    this.#place = place
  }

  gap(reason: GapReason, cursor: string, before: string | undefined): void {
    this.gaps++
    const to = this.#record.place(cursor)
    const from = before === undefined ? undefined : this.#record.place(before)
    if (to === undefined || (before !== undefined && from === undefined)) {
      this.#fault('wrong', `a gap from ${before} to ${cursor}`)
      return
    }
    const { life, seq } = to
    const named = `${reason} from ${from?.life.number}:${from?.seq} to ${life.number}:${seq}`
    if (reason === 'epoch') {
      if (from === undefined || from.life.number >= life.number) this.#fault('superfluous gap', named)
    } else if (reason === 'trimmed') {
      if (from?.life !== life || from.seq >= seq) this.#fault('superfluous gap', named)
    } else this.#fault('superfluous gap', named)
    // Its place is the last message that one of the asked channels has lost: it was asked for, and it is gone.
    const lost = seq > 0 && this.asked.has(life.channelOf(seq)) && life.trimmed(seq)
    if (!lost && !(reason === 'epoch' && seq === 0))
      this.#fault('superfluous gap', `${named}: nothing is lost there`)
    this.#told.push({ reason, from, to })
  }

  /** The reader has closed, and goes on from here. */
  resume(cursor: string): void {
    const place = this.#record.place(cursor)
    if (place === undefined) {
      this.#fault('wrong', `the feed's cursor is ${cursor}`)
      return
    }
    this.arrive(place, 'lost')
    this.#told = []
    this.#place = place
  }

  /** A loop has stopped at the last message that it took: a gap behind it will be told again. */
  forget(): void {
    this.#told = []
  }

  /** All up to this place must have come, or been told. */
  arrive({ life, seq }: Place, kind: string): void {
    this.#place ??= this.#startBefore(life, seq)
    if (this.#place === undefined) {
      this.#begin(life, seq + 1)
      return
    }
    this.#pass(life, seq)
    if (this.#place.life !== life) this.#fault(kind, `it never came to epoch ${life.number}`)
    else this.#complete(this.#place.seq, seq + 1, life, kind)
  }

  /** Whether it has come so far. */
  isAt({ life, seq }: Place): boolean {
    const last = this.#told.at(-1)?.to ?? this.#place
    return last?.life === life && last.seq >= seq
  }

  get place(): string {
    return this.#place ? `${this.#place.life.number}:${this.#place.seq}` : 'nowhere'
  }

  /** Where it began to read, where a gap that came before the first message says so. */
  #startBefore(life: Life, seq: number): Place | undefined {
    const [gap] = this.#told
    const start = gap && (gap.from ?? gap.to)
    // A loop takes its first message later than the feed hears of a gap behind it.
    if (!start || start.life.number > life.number || (start.life === life && start.seq >= seq)) return
    if (!gap.from) this.#told.shift()
    return start
  }

  /** It started at `earliest`: what was kept then has come first. */
  #begin(life: Life, seq: number): void {
    const kept = life.between(this.asked, 0, seq).findLast((each) => !life.trimmed(each))
    // Behind a channel's floor the others' messages are no part of the start.
    const floor = life.between(this.asked, 0, life.head + 1).findLast((each) => life.trimmed(each)) ?? 0
    if (kept !== undefined && kept > floor) this.#fault('lost', `${kept}, at the start`)
  }

  /** Takes the gaps that lie before a place. */
  #pass(life: Life, seq: number): void {
    for (let gap = this.#told[0]; gap; gap = this.#told[0]) {
      const from = gap.from ?? this.#place!
      if (life === from.life && seq <= from.seq) return
      if (life === gap.to.life && seq < gap.to.seq) {
        this.#fault('repeated', `${seq}, which a gap to ${gap.to.seq} had told as missing`)
      }
      if (from.life !== this.#place!.life) this.#fault('untold hole', `a gap from epoch ${from.life.number}`)
      else this.#complete(this.#place!.seq, from.seq + 1, from.life, 'lost')
      this.#place = gap.to
      this.#told.shift()
    }
  }

  #complete(after: number, before: number, life: Life, kind: string): void {
    const missing = life.between(this.asked, after, before)
    if (missing.length)
      this.#fault(kind, `${life.number}:${missing[0]}, ${missing.length} in all, before ${before}`)
  }
}
