import type { AsyncResource } from 'node:async_hooks'
import { randomInt } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyError, FastifyRequest } from 'fastify'
import { ERR_CLIENT_READERS, ERR_READERS } from '../../bus/errors.ts'
import { IndexedSet } from '../../bus/indexed-set.ts'
import type { Clients } from './client-limits.ts'
import { Connection } from './connection.ts'
import { wasRefused } from './reader-channels.ts'
import { type Permit, Revocations } from './revocation.ts'

const NONE: ReadonlySet<() => void> = new Set()

/** Milliseconds between two steps of a drain. */
const STEP = 50

/**
 * A reader that is held open: a long poll that waits, a stream, a socket. It is an AsyncResource, so that what is done
 * with it later, by whomever, is done in the context of its own request.
 */
export interface OpenConnection extends Pick<AsyncResource, 'runInAsyncScope'> {
  /** Its place among the readers. Set by them alone. */
  indexInReaders: number
  /** The server is going away: end with grace, now. */
  goAway(): void
  /** Its permission ran out. */
  revoke(): void
}

/** The readers that one registration holds open, up to a limit. */
export class OpenConnections {
  readonly #limit: number
  readonly #held = new IndexedSet<'indexInReaders', OpenConnection>('indexInReaders')
  /** What takes back the permits of those that have some. */
  readonly #releases = new Map<OpenConnection, Set<() => void>>()
  /** What takes back the counts of clients, where they are limited. */
  readonly #leaves = new Map<OpenConnection, () => void>()
  readonly #permits = new Revocations()
  #closing = false

  readonly #clients: Clients

  constructor(limit: number, clients: Clients) {
    this.#limit = limit
    this.#clients = clients
  }

  /** Why no further reader can be held for this request; undefined where one can. */
  refusal(request: FastifyRequest): FastifyError | undefined {
    const full = this.#closing || this.#held.size >= this.#limit
    if (!full && !this.#clients.full(request) && !Connection.of(request.raw).full) return undefined
    const refusal = full ? new ERR_READERS() : new ERR_CLIENT_READERS()
    wasRefused(refusal.code, request)
    return refusal
  }

  /**
   * Asked for in the same turn in which there was no `refusal`.
   * @param request what it is held for
   * @param permit the reader is ended when it runs out
   */
  hold(held: OpenConnection, request: FastifyRequest, permit: Permit | undefined): void {
    this.#held.add(held)
    const leave = this.#clients.enter(request)
    if (leave !== undefined) this.#leaves.set(held, leave)
    // Let in, and held up by a hook of the user's while the server closed. Not at once: the reader is being made.
    if (this.#closing) queueMicrotask(() => goAway(held))
    if (permit !== undefined) this.permit(held, permit)
  }

  /** A permit of a held reader. @returns what takes it back */
  permit(held: OpenConnection, permit: Permit): () => void {
    if (!this.#held.has(held)) return () => {}
    const releases = this.#releases.get(held) ?? new Set()
    this.#releases.set(held, releases)
    const end = this.#permits.add(permit, () => held.runInAsyncScope(held.revoke, held))
    const release = () => {
      end()
      releases.delete(release)
    }
    releases.add(release)
    return release
  }

  /** Releasing twice is harmless. */
  release(held: OpenConnection): void {
    for (const release of this.#releases.get(held) ?? NONE) release()
    this.#releases.delete(held)
    this.#leaves.get(held)?.()
    this.#leaves.delete(held)
    this.#held.delete(held)
  }

  /** Whether the server is going away. */
  get closing(): boolean {
    return this.#closing
  }

  /**
   * Holds no more, and ends those that are held one after another, in an order of chance: wherever they go next, they
   * do not come all at once. Until its turn comes, each gets what is published.
   * @param window milliseconds from the first to the last
   * @param flush hands out what was published in this turn
   */
  async drain(window: number, flush: () => void): Promise<void> {
    this.#closing = true
    const all = shuffled(this.#held.all())
    const began = performance.now()
    for (let told = 0; told < all.length && this.#held.size > 0; ) {
      await wait(Math.min(STEP, window))
      flush()
      const due = Math.min(all.length, Math.ceil((all.length * (performance.now() - began)) / window))
      for (; told < due; told++) if (this.#held.has(all[told]!)) goAway(all[told]!)
    }
  }

  /**
   * Ends them all, and holds no more.
   * @param flush hands out what was published in this turn
   */
  close(flush: () => void): void {
    this.#closing = true
    flush()
    for (const held of this.#held.all()) goAway(held)
  }
}

function goAway(held: OpenConnection): void {
  held.runInAsyncScope(held.goAway, held)
}

function shuffled<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const at = randomInt(i + 1)
    ;[items[i], items[at]] = [items[at]!, items[i]!]
  }
  return items
}
