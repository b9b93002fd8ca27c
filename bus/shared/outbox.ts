import { randomBytes } from 'node:crypto'
import type { Accepted } from '../bus.ts'
import { ERR_CLOSED, ERR_ENDED, ERR_KEY_REUSED, ERR_KEYS_FULL, ERR_UNAVAILABLE } from '../errors.ts'
import type { Log } from '../log.ts'
import { Ring } from '../ring.ts'
import { arrival } from './arrival.ts'
import { Backoff, type Calls } from './calls.ts'
import { type Engine, type Message, Refused, type Verdict } from './engine.ts'

/** Maximum messages and characters per call. */
const BATCH = { messages: 256, size: 256 * 1024 }

/** Maximum bytes of waiting messages. */
const MOST = 32 * 1024 * 1024

/** Timeout of a publish, and the interval of its check, in milliseconds. */
const PATIENCE = { publish: 4_900, look: 100 }

interface Publish extends Message {
  readonly weight: number
  readonly expires: number
  /** Undefined once it is answered. */
  resolve: ((accepted: Accepted) => void) | undefined
  reject: (error: Error) => void
}

/**
 * Sends publishes to the engine, in order. The publishes of one turn of the event loop share a call. Only one call is
 * pending at a time. A failed call is repeated under the same number, which the engine appends only once.
 */
export class Outbox {
  readonly #engine: Engine
  readonly #log: Log
  readonly #calls: Calls
  /** Called with places that the log must reach. */
  readonly #expect: (place: Accepted) => void
  readonly #moved: () => void
  readonly #writer = randomBytes(9).toString('base64url')
  #number = 0
  readonly #queue = new Ring<Publish>()
  /** The publishes of the pending call. */
  #sent: Publish[] = []
  /** The publishes that have places which the log has not reached yet. */
  #placed: { publish: Publish; accepted: Accepted }[] = []
  #bytes = 0
  #soon: NodeJS.Immediate | undefined
  #sending = false
  #timer: NodeJS.Timeout | undefined
  #idle: (() => void) | undefined

  constructor(
    engine: Engine,
    log: Log,
    calls: Calls,
    { expect, moved }: { expect: (place: Accepted) => void; moved: () => void },
  ) {
    this.#engine = engine
    this.#log = log
    this.#calls = calls
    this.#expect = expect
    this.#moved = moved
  }

  /**
   * @param weight bytes
   * @throws TIDINGS_ERR_UNAVAILABLE, TIDINGS_ERR_KEY_REUSED, TIDINGS_ERR_KEYS_FULL, TIDINGS_ERR_ENDED
   */
  publish(message: Message, weight: number): Promise<Accepted> {
    return new Promise((resolve, reject) => {
      if (this.#bytes + weight > MOST) {
        reject(new ERR_UNAVAILABLE())
        return
      }
      this.#bytes += weight
      const { channel, payload, key } = message
      const expires = performance.now() + PATIENCE.publish
      this.#queue.push({ channel, payload, key, weight, expires, resolve, reject })
      this.#timer ??= setInterval(() => this.#look(), PATIENCE.look)
      if (!this.#sending) this.#soon ??= setImmediate(() => this.#send())
    })
  }

  #settle(publish: Publish, accepted: Accepted | Error): void {
    const { resolve, reject } = publish
    if (resolve === undefined) return
    publish.resolve = undefined
    this.#bytes -= publish.weight
    if (accepted instanceof Error) reject(accepted)
    else resolve(accepted)
  }

  /** Rejects publishes that have timed out. */
  #look(): void {
    const now = performance.now()
    const late = (publish: Publish) => publish.expires <= now
    while (this.#queue.length > 0 && late(this.#queue.at(0))) {
      this.#settle(this.#queue.shift(), new ERR_UNAVAILABLE())
    }
    for (const publish of this.#sent) if (late(publish)) this.#settle(publish, new ERR_UNAVAILABLE())
    this.#placed = this.#placed.filter(({ publish }) => {
      if (late(publish)) this.#settle(publish, new ERR_UNAVAILABLE())
      return publish.resolve !== undefined
    })
    this.#rest()
  }

  #rest(): void {
    if (this.#queue.length > 0 || this.#sent.length > 0 || this.#placed.length > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#idle?.()
  }

  async #send(): Promise<void> {
    this.#soon = undefined
    this.#sending = true
    const backoff = new Backoff()
    while (this.#queue.length > 0 && !this.#calls.closed) {
      this.#sent = this.#next()
      const number = ++this.#number
      // Abandoned once no publish waits for it. The engine may still append it, once.
      while (this.#sent.some(({ resolve }) => resolve !== undefined)) {
        try {
          const verdicts = await this.#append(number)
          this.#answered(verdicts)
          backoff.reset()
          break
        } catch (error) {
          if (error instanceof Refused) {
            for (const publish of this.#sent) this.#settle(publish, new ERR_UNAVAILABLE())
            break
          }
          if (this.#calls.closed) break
          await backoff.wait()
        }
      }
      this.#sent = []
    }
    this.#sending = false
    this.#rest()
  }

  #append(number: number): Promise<readonly Verdict[]> {
    const batch = { writer: this.#writer, number, messages: this.#sent, known: this.#log.epoch }
    return this.#calls.make((signal) => this.#engine.append(batch, signal))
  }

  #next(): Publish[] {
    const next: Publish[] = []
    let size = 0
    while (this.#queue.length > 0 && next.length < BATCH.messages) {
      size += this.#queue.at(0).payload.json.length
      if (size > BATCH.size && next.length > 0) break
      next.push(this.#queue.shift())
    }
    return next
  }

  #answered(verdicts: readonly Verdict[]): void {
    const log = this.#log
    const at = performance.now()
    this.#sent.forEach((publish, index) => {
      const verdict = verdicts[index]!
      if (verdict === 'key reused') this.#settle(publish, new ERR_KEY_REUSED())
      else if (verdict === 'keys full') this.#settle(publish, new ERR_KEYS_FULL())
      else if (verdict === 'ended') this.#settle(publish, new ERR_ENDED(publish.channel))
      else {
        const { epoch, seq, time, repeated } = verdict
        // Epoch and seq identify a message for ever: the next one need not be read from the engine.
        if (!repeated && epoch === log.epoch && seq === log.head + 1) {
          const { channel, payload } = publish
          log.take({ epoch, seq, time, at, channel, payload })
          this.#settle(publish, verdict)
        } else this.#placed.push({ publish, accepted: verdict })
      }
    })
    this.#moved()
    const last = this.#placed.at(-1)
    if (last !== undefined) this.#expect(last.accepted)
  }

  /** Resolves publishes whose messages the log has reached. */
  look(): void {
    if (this.#placed.length === 0) return
    this.#placed = this.#placed.filter(({ publish, accepted }) => {
      const there = arrival(this.#log, accepted)
      if (there === 'not yet') return publish.resolve !== undefined
      this.#settle(publish, there === 'there' ? accepted : new ERR_UNAVAILABLE())
      return false
    })
  }

  /** Resolves once no publish is pending, at the latest after `patience` milliseconds. Rejects the rest. */
  async close(patience: number): Promise<void> {
    if (this.#timer !== undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patience)
        this.#idle = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    clearImmediate(this.#soon)
    clearInterval(this.#timer)
    while (this.#queue.length > 0) this.#settle(this.#queue.shift(), new ERR_CLOSED())
    for (const publish of this.#sent) this.#settle(publish, new ERR_UNAVAILABLE())
    for (const { publish } of this.#placed) this.#settle(publish, new ERR_UNAVAILABLE())
  }
}
