import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { show } from '../../bus/check.ts'
import { ERR_OPTION } from '../../bus/errors.ts'
import { faultOf } from './guard.ts'

/** Maximum characters of a client's name that are stored as they are: the name may come from a header. */
const SHORT = 64

/** Counts the open readers of each client. Clients without a reader take no memory. */
export class Clients {
  readonly #limit: number
  readonly #nameOf: (request: FastifyRequest) => string
  readonly #counts = new Map<string, number>()
  /** The names, computed once per request: a second call might throw after a stream has begun. */
  readonly #names = new WeakMap<FastifyRequest, string>()

  /**
   * @param limit readers of one client; Infinity disables counting
   * @param nameOf returns the client of a request
   */
  constructor(limit: number, nameOf: (request: FastifyRequest) => string) {
    this.#limit = limit
    this.#nameOf = nameOf
  }

  /** Number of clients with open readers. */
  get size(): number {
    return this.#counts.size
  }

  /** Whether the client of this request has reached its limit. */
  full(request: FastifyRequest): boolean {
    return this.#limit !== Infinity && (this.#counts.get(this.#name(request)) ?? 0) >= this.#limit
  }

  /** Counts a reader. @returns a function that uncounts it, to be called once; undefined if counting is disabled */
  enter(request: FastifyRequest): (() => void) | undefined {
    if (this.#limit === Infinity) return undefined
    const name = this.#name(request)
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    return () => {
      const left = this.#counts.get(name)! - 1
      if (left === 0) this.#counts.delete(name)
      else this.#counts.set(name, left)
    }
  }

  #name(request: FastifyRequest): string {
    const known = this.#names.get(request)
    if (known !== undefined) return known
    const name = this.#checked(this.#call(request))
    this.#names.set(request, name)
    return name
  }

  /** @throws see `faultOf` */
  #call(request: FastifyRequest): unknown {
    try {
      return this.#nameOf(request)
    } catch (thrown) {
      throw faultOf(thrown)
    }
  }

  #checked(name: unknown): string {
    // An unhandled rejection would end the process.
    if (name instanceof Promise) name.catch(() => {})
    if (typeof name !== 'string') {
      throw new ERR_OPTION('limits.client', `must return a string; it returned ${show(name)}`)
    }
    // A copy: a slice would keep the whole header in memory.
    return name.length > SHORT
      ? createHash('sha256').update(name).digest('base64')
      : Buffer.from(name).toString()
  }
}

/** A token bucket: `limit` operations at once, and as many per second. */
export class Pace {
  readonly #most: number
  #left: number
  #at = performance.now()

  constructor(most: number) {
    this.#most = most
    this.#left = most
  }

  /** Takes a token. Returns false for ever after the first refusal. */
  take(): boolean {
    const now = performance.now()
    this.#left = Math.min(this.#most, this.#left + ((now - this.#at) * this.#most) / 1000)
    this.#at = now
    // The refusal is final.
    this.#left = this.#left < 1 ? -Infinity : this.#left - 1
    return this.#left >= 0
  }
}
