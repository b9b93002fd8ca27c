import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { show } from '../../bus/check.ts'
import { ERR_OPTION } from '../../bus/errors.ts'
import { faultOf } from './guard.ts'

/** Characters up to which a client's name is kept as it is: an address may be what a header says. */
const SHORT = 64

/** How many readers each client holds open. Who holds none is not remembered. */
export class Clients {
  readonly #limit: number
  readonly #nameOf: (request: FastifyRequest) => string
  readonly #counts = new Map<string, number>()
  /** Asked for once: a second time it may throw, where a stream has begun. */
  readonly #names = new WeakMap<FastifyRequest, string>()

  /**
   * @param limit readers of one client; Infinity counts none
   * @param nameOf who a request comes from
   */
  constructor(limit: number, nameOf: (request: FastifyRequest) => string) {
    this.#limit = limit
    this.#nameOf = nameOf
  }

  /** Clients that hold readers. */
  get size(): number {
    return this.#counts.size
  }

  /** Whether the client of this request may hold no further reader. */
  full(request: FastifyRequest): boolean {
    return this.#limit !== Infinity && (this.#counts.get(this.#name(request)) ?? 0) >= this.#limit
  }

  /** Counts a reader. @returns what takes it back, to be called once; undefined where nothing is counted */
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
    // A rejection that nobody hears would end the process.
    if (name instanceof Promise) name.catch(() => {})
    if (typeof name !== 'string') {
      throw new ERR_OPTION('limits.client', `must return a string; it returned ${show(name)}`)
    }
    // A copy: a part of a header would keep all of it in memory.
    return name.length > SHORT
      ? createHash('sha256').update(name).digest('base64')
      : Buffer.from(name).toString()
  }
}

/** How often something may be done: so many times at once, and as many a second. */
export class Pace {
  readonly #most: number
  #left: number
  #at = performance.now()

  constructor(most: number) {
    this.#most = most
    this.#left = most
  }

  /** Whether it may be done once more, now. Who asked once too often may no more. */
  take(): boolean {
    const now = performance.now()
    this.#left = Math.min(this.#most, this.#left + ((now - this.#at) * this.#most) / 1000)
    this.#at = now
    // Once too often is for good.
    this.#left = this.#left < 1 ? -Infinity : this.#left - 1
    return this.#left >= 0
  }
}
