import type { Host } from './host.ts'
import type { Violations } from './judge.ts'
import { KEY_AGE } from './key-age.ts'
import { payloadOf } from './payload.ts'
import type { Random } from './random.ts'
import type { ChaosReader } from './reader.ts'
import { CHANNELS, type Life, type Record } from './record.ts'

interface Pending {
  readonly channel: string
  readonly since: number
  /** Through the program that runs the server, not through a client. */
  readonly byProgram: boolean
}

/** Nobody sends a publish again that is older, in milliseconds: the server may have forgotten its key. */
const MAX_AGE = KEY_AGE - 10_000

/** Publishes with keys, at a rate, through clients and through the server's own program, and checks the answers. */
export class Publisher {
  started = 0
  settled = 0
  /** Answers of feeds that were closed meanwhile: the same key goes through another. */
  handedOn = 0
  /** Publishes without an answer for as long as keys are remembered: nobody may send them again. */
  tooOld = 0
  slowest = 0
  readonly pending = new Map<number, Pending>()
  readonly #random: Random
  readonly #readers: readonly ChaosReader[]
  readonly #host: Host
  readonly #violations: Violations
  #sizes = new Uint16Array(65_536)
  /** The seq of each number in the present life. */
  #seqs = new Uint32Array(65_536)
  #life: Life | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  /** The last number of each feed that was published in its order, in the present life. */
  #order = new WeakMap<object, number>()
  readonly #feedOf = new Map<number, object>()
  record!: Record

  constructor(random: Random, readers: readonly ChaosReader[], host: Host, violations: Violations) {
    this.#random = random
    this.#readers = readers
    this.#host = host
    this.#violations = violations
    host.published = (id, cursor) => this.#answered(id, cursor)
  }

  sizeOf(id: number): number {
    return this.#sizes[id]!
  }

  start(rate: number): void {
    const began = performance.now()
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - began) / 1000) * rate)
      // After a stall of the machine it does not catch up all at once.
      for (let i = 0; this.started < due && i < 50; i++) this.#publish()
    }, 10)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#stopped = true
  }

  /** The server has taken a message. */
  accepted(life: Life, seq: number, id: number): void {
    if (life !== this.#life) {
      this.#life = life
      this.#seqs.fill(0)
      this.#order = new WeakMap()
    }
    if (this.#seqs[id]) this.#violations.add('published twice', `number ${id}: ${this.#seqs[id]} and ${seq}`)
    this.#seqs[id] = seq
    const feed = this.#feedOf.get(id)
    if (!feed) return
    if ((this.#order.get(feed) ?? 0) > id) {
      this.#violations.add(
        'published out of order',
        `number ${id} after ${this.#order.get(feed)}, in one feed`,
      )
    }
    this.#order.set(feed, id)
  }

  /** What the program was about to publish when its process died. */
  again(): void {
    for (const [id, { byProgram, channel }] of this.pending) {
      if (byProgram) this.#host.tell({ publish: { id, channel, size: this.sizeOf(id) } })
    }
  }

  #publish(): void {
    const id = ++this.started
    if (id >= this.#sizes.length) {
      const [sizes, seqs] = [new Uint16Array(id * 2), new Uint32Array(id * 2)]
      sizes.set(this.#sizes)
      seqs.set(this.#seqs)
      this.#sizes = sizes
      this.#seqs = seqs
    }
    const random = this.#random
    this.#sizes[id] = random.chance(0.03) ? random.scale(1000, 40_000) : random.scale(10, 300)
    const channel = random.pick(CHANNELS)
    const byProgram = random.chance(0.3)
    this.pending.set(id, { channel, since: performance.now(), byProgram })
    if (byProgram) this.#host.tell({ publish: { id, channel, size: this.sizeOf(id) } })
    else void this.#through(id, channel)
  }

  async #through(id: number, channel: string): Promise<void> {
    const data = payloadOf(id, this.sizeOf(id))
    const key = `${id}`
    const { since } = this.pending.get(id)!
    const age = () => performance.now() - since
    for (let first = true; ; first = false) {
      const { feed } = this.#random.pick(this.#readers)
      if (first) this.#feedOf.set(id, feed)
      // A feed knows only of its own attempts.
      const signal = first ? undefined : AbortSignal.timeout(Math.max(0, Math.ceil(MAX_AGE - age())))
      try {
        const { cursor } = await feed.publish(channel, data, signal ? { key, signal } : { key })
        this.#answered(id, cursor)
        return
      } catch (error) {
        this.#feedOf.delete(id)
        if ((error as { code?: unknown }).code === 'ERR_KEY_AGE' || age() >= MAX_AGE) {
          this.tooOld++
          this.settled++
          this.pending.delete(id)
          return
        }
        if (feed.readyState < 2) {
          this.#violations.add('publish failed', `number ${id}: ${error}`)
          this.pending.delete(id)
          return
        }
        this.handedOn++
        // All may be closed at once.
        await new Promise((resolve) => setTimeout(resolve, 20))
        if (this.#stopped && this.#readers.every(({ feed }) => feed.readyState > 1)) return
      }
    }
  }

  #answered(id: number, cursor: string): void {
    const pending = this.pending.get(id)
    if (!pending) return
    const place = this.record.place(cursor)
    if (!place || place.life.idOf(place.seq) !== id) {
      this.#violations.add('wrong answer', `number ${id} is said to be ${cursor}`)
    }
    this.pending.delete(id)
    this.#feedOf.delete(id)
    this.settled++
    this.slowest = Math.max(this.slowest, performance.now() - pending.since)
  }
}
