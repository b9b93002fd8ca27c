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
    if (head > this.#marked) this.#marks.push({ seq: head, at: now })
    this.#marked = head
    let old = 0
    while (old < this.#marks.length && this.#marks[old]!.at + this.#age <= now) old++
    const expired = this.#marks[old - 1]
    this.#marks = this.#marks.slice(old)
    this.#timer = undefined
    if (this.#marks.length > 0) this.arm()
    if (expired !== undefined) this.#expire(expired.seq)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
