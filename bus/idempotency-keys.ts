import { createHash } from 'node:crypto'
import type { Cursor } from './cursor.ts'
import { ERR_KEY, ERR_KEY_REUSED, ERR_KEYS_FULL, ERR_PUBLISHER } from './errors.ts'
import type { Payload } from './payload.ts'
import { Ring } from './ring.ts'
import { detach, heapBytes } from './text.ts'

/** Maximum length of an idempotency key, in characters. */
const MAX_KEY = 128

/** Bytes of heap per key beside its name: the map entry, the list entry, the answer and the digest. */
const KEY = 188

/** Maximum number of keys removed in one turn of the event loop. */
const FORGOTTEN_AT_ONCE = 1000

/** Maximum delay of a timer, in milliseconds. */
const MAX_DELAY = 0x7fff_ffff

/** Maximum length of a publisher's name, in characters. */
const MAX_PUBLISHER = 256

/** The answer to the first publish with a key. */
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

/** Whether a value is a valid publisher name. */
export function isPublisher(name: unknown): name is string {
  return typeof name === 'string' && name.length > 0 && name.length <= MAX_PUBLISHER
}

/** @throws TIDINGS_ERR_PUBLISHER */
export function checkPublisher(name: unknown): string {
  if (isPublisher(name)) return name
  throw new ERR_PUBLISHER()
}

/**
 * The name under which every bus stores a key. Names never collide: a channel's name contains no space, and a
 * publisher's name is prefixed with its length.
 */
export function keyName(channel: string, key: string, publisher?: string): string {
  return publisher === undefined ? `${channel} :${key}` : `${channel} ${publisher.length}:${publisher}${key}`
}

/**
 * The idempotency keys of all channels, bounded in time, number and bytes. Trimming the log does not remove them.
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export class IdempotencyKeys {
  readonly #most: number
  readonly #age: number
  readonly #mostBytes: number
  readonly #charge: (bytes: number) => void
  readonly #known = new Map<string, Known>()
  /**
   * Oldest first. A Map finds its first key only behind the slots of removed ones: with 100,000 keys that takes a
   * quarter of a millisecond.
   */
  readonly #line = new Ring<Known>()
  #bytes = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * @param most maximum number of keys
   * @param age milliseconds for which a key is kept
   * @param bytes maximum memory
   * @param charge called with each change of the memory in use, in bytes
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

  /** Memory in use, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Memory that a key would take, in bytes. */
  weightOf(name: string): number {
    return weightOf(name)
  }

  /**
   * @returns the answer to the first publish with this key, or undefined if it is new
   * @param name see `keyName`
   * @throws TIDINGS_ERR_KEY_REUSED if the payload differs, TIDINGS_ERR_KEYS_FULL if the limits are reached
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

  /** Stores a key that `find` did not find. */
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

  /** Removes some of the expired keys. */
  #forget(): void {
    for (let left = FORGOTTEN_AT_ONCE; left > 0 && this.#line.length > 0; left--) {
      const known = this.#line.at(0)
      if (!this.#over(known)) return
      this.#line.shift()
      // The key may have been stored again since.
      if (this.#known.get(known.name) === known) this.#known.delete(known.name)
      this.#count(-weightOf(known.name))
    }
  }

  /** Forgets the keys of messages after this seq, which the log has lost. */
  cut(end: number): void {
    // Their list entries stay until they expire.
    for (const known of this.#known.values()) if (known.seq > end) this.#known.delete(known.name)
  }

  /** One timer for all keys, so that expired keys leave without a further publish. */
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
