import { createHash } from 'node:crypto'
import type { Cursor } from './cursor.ts'
import { ERR_KEY, ERR_KEY_REUSED, ERR_KEYS_FULL, ERR_PUBLISHER } from './errors.ts'
import type { Payload } from './payload.ts'
import { Ring } from './ring.ts'
import { detach, heapBytes } from './text.ts'

/** The longest idempotency key, in characters. */
const MAX_KEY = 128

/** Bytes of heap that a key takes beside its name: its places in the map and in the line, the answer, the digest. */
const KEY = 188

/** Keys that are forgotten in one turn of the event loop. */
const FORGOTTEN_AT_ONCE = 1000

/** Milliseconds that a timer can hold. */
const MAX_DELAY = 0x7fff_ffff

/** The longest name of a publisher, in characters. */
const MAX_PUBLISHER = 256

/** The first answer to a key. */
export interface Remembered extends Cursor {
  readonly time: number
}

interface Known extends Remembered {
  readonly name: string
  readonly digest: string
  readonly at: number
}

/** @throws TIDINGS_ERR_KEY */
export function checkKey(key: unknown): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY) return key
  throw new ERR_KEY()
}

/** Whether it can be the name of a publisher. */
export function isPublisher(name: unknown): name is string {
  return typeof name === 'string' && name.length > 0 && name.length <= MAX_PUBLISHER
}

/** @throws TIDINGS_ERR_PUBLISHER */
export function checkPublisher(name: unknown): string {
  if (isPublisher(name)) return name
  throw new ERR_PUBLISHER()
}

/**
 * The name under which a key of a channel is remembered, by any bus: those of different publishers never meet, nor do
 * they meet those of nobody. A channel's name holds no space, and a publisher's comes with its length.
 */
export function keyName(channel: string, key: string, publisher?: string): string {
  return publisher === undefined ? `${channel} :${key}` : `${channel} ${publisher.length}:${publisher}${key}`
}

/**
 * The idempotency keys of each channel, remembered whatever the log has trimmed, bounded in time, number and bytes.
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export class IdempotencyKeys {
  readonly #most: number
  readonly #age: number
  readonly #mostBytes: number
  readonly #charge: (bytes: number) => void
  readonly #known = new Map<string, Known>()
  /**
   * The longest remembered first. A map knows its first key only behind the places of all that were taken out before
   * it: among 100,000 keys it would take a quarter of a millisecond to find.
   */
  readonly #line = new Ring<Known>()
  #bytes = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * @param most keys remembered
   * @param age milliseconds
   * @param bytes of memory that they may take
   * @param charge told how many bytes more they take, or fewer
   */
  constructor(most: number, age: number, bytes = Infinity, charge: (bytes: number) => void = () => {}) {
    this.#most = most
    this.#age = age
    this.#mostBytes = bytes
    this.#charge = charge
  }

  get size(): number {
    return this.#known.size
  }

  /** Bytes of memory that they take. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes that this key would take. */
  weightOf(name: string): number {
    return weightOf(name)
  }

  /**
   * What the key's first use was answered, or undefined where this is its first use.
   * @param name see `keyName`
   * @throws TIDINGS_ERR_KEY_REUSED for another payload, TIDINGS_ERR_KEYS_FULL where no more can be remembered
   */
  find(name: string, payload: Payload): Remembered | undefined {
    this.#forget()
    const known = this.#known.get(name)
    if (known === undefined || this.#over(known)) {
      if (this.#known.size >= this.#most || this.#bytes + weightOf(name) > this.#mostBytes) {
        throw new ERR_KEYS_FULL()
      }
      return undefined
    }
    if (known.digest !== digestOf(payload)) throw new ERR_KEY_REUSED()
    return known
  }

  /** To be called where `find` has found nothing. */
  remember(given: string, payload: Payload, { epoch, seq, time }: Remembered): void {
    const name = detach(given)
    const known = { name, epoch, seq, time, digest: digestOf(payload), at: performance.now() }
    this.#known.set(name, known)
    this.#line.push(known)
    this.#count(weightOf(name))
    this.#arm()
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#charge(bytes)
  }

  #over({ at }: Known): boolean {
    return at <= performance.now() - this.#age
  }

  /** Forgets some of those whose time is over. */
  #forget(): void {
    for (let left = FORGOTTEN_AT_ONCE; left > 0 && this.#line.length > 0; left--) {
      const known = this.#line.at(0)
      if (!this.#over(known)) return
      this.#line.shift()
      // Its name may have been remembered anew.
      if (this.#known.get(known.name) === known) this.#known.delete(known.name)
      this.#count(-weightOf(known.name))
    }
  }

  /** Forgets those whose messages stood after this seq: they are gone. */
  cut(end: number): void {
    // Their places in the line stay until their time is over.
    for (const known of this.#known.values()) if (known.seq > end) this.#known.delete(known.name)
  }

  /** One timer for them all: what is over takes no memory, also where no key comes any more. */
  #arm(): void {
    if (this.#timer !== undefined || this.#line.length === 0) return
    const due = this.#line.at(0).at + this.#age - performance.now()
    const delay = Math.min(Math.max(due, this.#age / 100, 1), MAX_DELAY)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#forget()
      this.#arm()
    }, delay).unref()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

export function weightOf(name: string): number {
  return KEY + heapBytes(name)
}

function digestOf(payload: Payload): string {
  const { kind, json, mark = '' } = payload
  return createHash('sha256').update(kind).update(mark).update(json).digest('binary')
}
