import type { GapReason } from '../../client/index.ts'

/** What the tests publish: each with a number of its own. */
export interface Numbered {
  readonly id: number
}

/** A message as a reader was given it. */
export interface Given {
  readonly cursor: string
  readonly channel: string
  readonly time: number
  readonly data: Numbered
}

export interface ToldGap {
  readonly reason: GapReason
  readonly cursor: string
  /** The seq up to which all had come. */
  readonly from: number
}

export function seqOf(cursor: string): number {
  return Number(cursor.slice(cursor.indexOf('.') + 1))
}

/** What may not be, of all readers together: a cursor names one message, at whatever instance. */
export class Truth {
  readonly faults: string[] = []
  readonly #known = new Map<string, string>()

  fault(text: string): void {
    if (this.faults.length < 20) this.faults.push(text)
  }

  /** @param who was given it */
  note(who: string, { cursor, channel, time, data }: Given): void {
    const said = `number ${data.id} of ${channel} at ${time}`
    const known = this.#known.get(cursor)
    if (known === undefined) this.#known.set(cursor, said)
    else if (known !== said) this.fault(`${who}: ${cursor} is ${said}; it was ${known}`)
  }
}

/**
 * Holds what one reader is given against itself while it comes, and against the log in the end: all that the log has
 * after the reader's start has come once or lies in a hole that was told; what the log has not was taken back by one.
 */
export class Judge {
  readonly name: string
  readonly channels: ReadonlySet<string>
  readonly gaps: ToldGap[] = []
  readonly given: Given[] = []
  /** All up to here has come, or was told. */
  seq: number
  readonly #start: number
  readonly #truth: Truth
  /** Whether it reads all that is published: then it can tell a hole as soon as it sees one. */
  readonly #whole: boolean
  readonly #ids = new Map<number, string>()
  readonly #waiting = new Map<number, (() => void)[]>()

  /** @param start the place behind which it reads */
  constructor(name: string, truth: Truth, channels: readonly string[], whole: boolean, start: number) {
    this.name = name
    this.seq = start
    this.#start = start
    this.#truth = truth
    this.channels = new Set(channels)
    this.#whole = whole
  }

  #fault(text: string): void {
    this.#truth.fault(`${this.name}, at ${this.seq}: ${text}`)
  }

  message(message: Given): void {
    const { cursor, channel, data } = message
    const seq = seqOf(cursor)
    this.#truth.note(this.name, message)
    if (!this.channels.has(channel)) this.#fault(`${cursor} of ${channel} was not asked for`)
    if (seq <= this.seq) this.#fault(`${cursor} comes again, or too late`)
    else if (this.#whole && seq !== this.seq + 1) this.#fault(`a hole before ${cursor} that was not told`)
    const before = this.#ids.get(data.id)
    if (before !== undefined) this.#fault(`number ${data.id} comes twice, at ${before} and ${cursor}`)
    this.#ids.set(data.id, cursor)
    this.given.push(message)
    this.seq = seq
    for (const tell of this.#waiting.get(data.id) ?? []) tell()
  }

  gap(reason: GapReason, cursor: string): void {
    const to = seqOf(cursor)
    if (reason === 'trimmed' ? to <= this.seq : reason === 'ahead' && to >= this.seq) {
      this.#fault(`a gap ${reason} to ${cursor}: nothing is missing`)
    }
    this.gaps.push({ reason, cursor, from: this.seq })
    if (reason !== 'trimmed') {
      // What was taken back may come again by another number.
      for (const { cursor, data } of this.given)
        if (reason === 'epoch' || seqOf(cursor) > to) this.#ids.delete(data.id)
    }
    this.seq = to
  }

  has(id: number): boolean {
    return this.#ids.has(id)
  }

  /** Resolves once this message has come. */
  reached(id: number): Promise<void> {
    if (this.has(id)) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), resolve])
    })
  }

  /** @param log all that it keeps, in its order */
  conclude(log: readonly Given[]): void {
    const own = new Map(this.given.map((message) => [message.cursor, message]))
    const inLog = new Set(log.map(({ cursor }) => cursor))
    for (const { cursor, channel } of log) {
      if (!this.channels.has(channel) || own.has(cursor)) continue
      const seq = seqOf(cursor)
      if (seq <= this.#start) continue
      const told = this.gaps.some(
        ({ reason, cursor: to, from }) => reason === 'trimmed' && seq > from && seq <= seqOf(to),
      )
      if (!told) this.#fault(`${cursor} never came`)
    }
    const first = firstOf(log)
    for (const [cursor, { channel }] of own) {
      const seq = seqOf(cursor)
      // What retention has taken is no part of the question.
      if (seq < (first.get(channel) ?? Number.POSITIVE_INFINITY) || inLog.has(cursor)) continue
      const told = this.gaps.some(
        ({ reason, cursor: to }) => reason === 'epoch' || (reason === 'ahead' && seq > seqOf(to)),
      )
      if (!told) this.#fault(`${cursor} was given, and the log has it no more`)
    }
  }
}

/** The seq of the first message that is kept of each channel. */
export function firstOf(log: readonly Given[]): Map<string, number> {
  const first = new Map<string, number>()
  for (const { channel, cursor } of log) if (!first.has(channel)) first.set(channel, seqOf(cursor))
  return first
}
