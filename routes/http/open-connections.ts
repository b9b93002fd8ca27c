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

/** Milliseconds between steps of a drain. */
const STEP = 50

/**
 * A reader that is held open: a waiting long poll, a stream or a socket. It is an AsyncResource, so that later
 * operations run in the async context of its own request.
 */
export interface OpenConnection extends Pick<AsyncResource, 'runInAsyncScope'> {
  /** The index among the readers. Only `OpenConnections` writes it. */
  indexInReaders: number
  /** The server closes: end gracefully, now. */
  goAway(): void
  /** The permission of the reader has expired. */
  revoke(): void
}

/** The readers that a registration holds open, up to a limit. */
export class OpenConnections {
  readonly #limit: number
  readonly #held = new IndexedSet<'indexInReaders', OpenConnection>('indexInReaders')
  /** Functions that release permits, by reader. */
  readonly #releases = new Map<OpenConnection, Set<() => void>>()
  /** Functions that uncount readers of their clients, if clients are limited. */
  readonly #leaves = new Map<OpenConnection, () => void>()
  readonly #permits = new Revocations()
  #closing = false

  readonly #clients: Clients

  constructor(limit: number, clients: Clients) {
    this.#limit = limit
    this.#clients = clients
  }

  /** The error if no further reader can be held for a request; else undefined. */
  refusal(request: FastifyRequest): FastifyError | undefined {
    const full = this.#closing || this.#held.size >= this.#limit
    if (!full && !this.#clients.full(request) && !Connection.of(request.raw).full) return undefined
    const refusal = full ? new ERR_READERS() : new ERR_CLIENT_READERS()
    wasRefused(refusal.code, request)
    return refusal
  }

  /**
   * Adds a reader. Call it in the turn in which `refusal` returned undefined.
   * @param request the request of the reader
   * @param permit ends the reader when it expires
   */
  hold(held: OpenConnection, request: FastifyRequest, permit: Permit | undefined): void {
    this.#held.add(held)
    const leave = this.#clients.enter(request)
    if (leave !== undefined) this.#leaves.set(held, leave)
    // A user's hook delayed the request until the server closed. Not synchronously: the reader is being constructed.
    if (this.#closing) queueMicrotask(() => goAway(held))
    if (permit !== undefined) this.permit(held, permit)
  }

  /** Adds a permit to a held reader. @returns a function that removes it */
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

  /** Removes a reader, if it is one. */
  release(held: OpenConnection): void {
    if (this.#releases.size > 0) {
      for (const release of this.#releases.get(held) ?? NONE) release()
      this.#releases.delete(held)
    }
    if (this.#leaves.size > 0) {
      this.#leaves.get(held)?.()
      this.#leaves.delete(held)
    }
    this.#held.delete(held)
  }

  /** Whether the server closes. */
  get closing(): boolean {
    return this.#closing
  }

  /**
   * Refuses further readers, and ends the held ones one after another in random order, so that they reconnect spread
   * over the window. Until then, each still gets messages.
   * @param window milliseconds from the first end to the last
   * @param flush delivers the messages of this turn
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
   * Ends all readers, and refuses further ones.
   * @param flush delivers the messages of this turn
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
