/** Marks per age. Messages between two marks expire together. */
const PARTS = 100

/** Maximum delay of a timer, in milliseconds. */
const MAX_DELAY = 0x7fff_ffff

/** The log's head at one moment. */
interface Mark {
  readonly seq: number
  readonly at: number
}

/**
 * Decides when messages expire. It records the log's head a hundred times per age, by the monotonic clock, and reads no
 * message's `time`: setting the wall clock does not change any age. Messages do not age while the machine is suspended;
 * they do while the process is stopped.
 */
export class Expiry {
  readonly #age: number
  readonly #headOf: () => number
  readonly #expire: (seq: number) => void
  #marks: Mark[] = []
  /** The seq up to which marks cover the log. */
  #marked = 0
  /** The last message noted, its time of acceptance, and that of the first message without a mark. */
  #noted = 0
  #notedAt = -Infinity
  #groupAt = -Infinity
  #timer: NodeJS.Timeout | undefined

  /**
   * @param age milliseconds; Infinity: nothing expires
   * @param headOf the log's head now
   * @param expire called with the seq up to which messages have expired
   */
  constructor(age: number, headOf: () => number, expire: (seq: number) => void) {
    this.#age = age
    this.#headOf = headOf
    this.#expire = expire
  }

  /** Starts the timer, after an append or an unfinished removal. */
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
   * Notes a message that was accepted before it was appended. Call it for each such message, in order.
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

  /** Forgets everything after this seq. */
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
