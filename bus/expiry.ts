/** Parts of an age: what came within one of them goes together. */
const PARTS = 100

/** Milliseconds that a timer can hold. */
const MAX_DELAY = 0x7fff_ffff

/** The log at one moment: what stands up to this seq was there. */
interface Mark {
  readonly seq: number
  readonly at: number
}

/**
 * Says when messages have reached their age. It notes where the log's head is a hundred times an age, by the monotonic
 * clock, and reads no message's own time: a wall clock that is set makes nothing older or younger. A machine that is
 * suspended does not age its messages; a process that is stopped does.
 */
export class Expiry {
  readonly #age: number
  readonly #headOf: () => number
  readonly #expire: (seq: number) => void
  #marks: Mark[] = []
  /** All up to here has had a mark. */
  #marked = 0
  /** The last message that was noted, and when it was accepted; and when the first was of those without a mark. */
  #noted = 0
  #notedAt = -Infinity
  #groupAt = -Infinity
  #timer: NodeJS.Timeout | undefined

  /**
   * @param age milliseconds; Infinity: nothing expires
   * @param headOf the log's head now
   * @param expire all up to this seq is older
   */
  constructor(age: number, headOf: () => number, expire: (seq: number) => void) {
    this.#age = age
    this.#headOf = headOf
    this.#expire = expire
  }

  /** Something was appended, or is still to be taken out. */
  arm(): void {
    if (this.#timer !== undefined || this.#age === Infinity) return
    const delay = Math.min(Math.max(this.#age / PARTS, 1), MAX_DELAY)
    this.#timer = setTimeout(() => this.#tick(), delay).unref()
  }

  #tick(): void {
    const now = performance.now()
    const head = this.#headOf()
    if (head > this.#marked) this.#mark(head, head === this.#noted ? this.#notedAt : now)
    let old = 0
    while (old < this.#marks.length && this.#marks[old]!.at + this.#age <= now) old++
    const expired = this.#marks[old - 1]
    this.#marks = this.#marks.slice(old)
    this.#timer = undefined
    if (this.#marks.length > 0) this.arm()
    if (expired !== undefined) this.#expire(expired.seq)
  }

  /**
   * A message that comes later than it was accepted. To be told of each, in order.
   * @param at when it was accepted, by the clock of performance.now()
   */
  note(seq: number, at: number): void {
    if (at >= this.#groupAt + this.#age / PARTS) {
      if (this.#noted > this.#marked) this.#mark(this.#noted, this.#notedAt)
      this.#groupAt = at
    }
    this.#noted = seq
    this.#notedAt = Math.max(at, this.#groupAt)
  }

  #mark(seq: number, at: number): void {
    this.#marks.push({ seq, at })
    this.#marked = seq
  }

  /** What stood after this seq is gone. */
  cut(end: number): void {
    this.#marks = this.#marks.map(({ seq, at }) => ({ seq: Math.min(seq, end), at }))
    this.#marked = Math.min(this.#marked, end)
    this.#noted = Math.min(this.#noted, end)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
