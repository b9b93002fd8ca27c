import { createHash } from 'node:crypto'
import { ERR_KEY, ERR_KEY_REUSED, ERR_KEYS_FULL } from './errors.ts'
import type { Payload } from './payload.ts'

/** The longest idempotency key, in characters. */
const MAX_KEY = 128

/** The first answer to a key. */
export interface Remembered {
  readonly seq: number
  readonly time: number
}

/** @throws TIDINGS_ERR_KEY */
export function checkKey(key: unknown): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY) return key
  throw new ERR_KEY()
}

/**
 * The idempotency keys of each channel, remembered whatever the log has trimmed, bounded in time and number.
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export class Keys {
  readonly #most: number
  readonly #age: number
  /** The longest remembered first. */
  readonly #known = new Map<string, Remembered & { digest: string; at: number }>()

  /**
   * @param most keys remembered
   * @param age milliseconds
   */
  constructor(most: number, age: number) {
    this.#most = most
    this.#age = age
  }

  get size(): number {
    return this.#known.size
  }

  /**
   * What the key's first use was answered, or undefined where this is its first use.
   * @throws TIDINGS_ERR_KEY_REUSED for another payload, TIDINGS_ERR_KEYS_FULL where no more can be remembered
   */
  find(channel: string, key: string, payload: Payload): Remembered | undefined {
    const expired = performance.now() - this.#age
    for (const [name, { at }] of this.#known) {
      if (at > expired) break
      this.#known.delete(name)
    }
    const known = this.#known.get(nameOf(channel, key))
    if (known === undefined) {
      if (this.#known.size >= this.#most) throw new ERR_KEYS_FULL()
      return undefined
    }
    if (known.digest !== digestOf(payload)) throw new ERR_KEY_REUSED()
    return known
  }

  remember(channel: string, key: string, payload: Payload, { seq, time }: Remembered): void {
    this.#known.set(nameOf(channel, key), { seq, time, digest: digestOf(payload), at: performance.now() })
  }
}

/** A channel's name holds no space. */
function nameOf(channel: string, key: string): string {
  return `${channel} ${key}`
}

function digestOf(payload: Payload): string {
  return createHash('sha256').update(payload.kind).update(payload.json).digest('base64')
}
