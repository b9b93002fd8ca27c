import type { Settings } from './settings.ts'
import type { Transport } from './types.ts'

/** Consecutive failures after which other transports go first. */
const MAX_FAILURES = 3

/** The last transport in use by address and list, where no storage is available. Bounded by MAX_LAST_USED. */
const lastUsed = new Map<string, string>()
const MAX_LAST_USED = 100

/** The order of preference, and the record of each transport. */
export class TransportRanking {
  /** Order of preference. A transport selected by `switchTo` goes first. */
  order: Transport[]
  /** Where a round starts: the transport last in use. */
  first: Transport
  /** Transports tried in this round. */
  readonly tried = new Set<Transport>()
  /** Transports refused since the last connection. */
  readonly refused = new Set<Transport>()
  readonly #failures: Partial<Record<Transport, number>> = {}
  readonly #storage: Settings['storage']
  readonly #key: string

  constructor({ url, transports, storage }: Settings) {
    // The query may hold secrets.
    const { origin, pathname } = new URL(url)
    this.#storage = storage
    this.#key = `tidings ${origin}${pathname} ${transports}`
    this.order = [...transports]
    let known: string | null | undefined
    try {
      known = storage?.getItem(this.#key)
    } catch {
      // A forbidden storage throws.
    }
    this.first = transports.find((each) => each === (known ?? lastUsed.get(this.#key))) ?? transports[0]!
  }

  prefer(transport: Transport): void {
    this.order = [transport, ...this.order.filter((other) => other !== transport)]
  }

  /** @param carries the transport in use, if any */
  better(transport: Transport, carries: Transport | undefined): boolean {
    return !carries || this.order.indexOf(transport) < this.order.indexOf(carries)
  }

  /** The best untried transport that is better than the one in use. */
  next(carries: Transport | undefined): Transport | undefined {
    const from = carries ? 0 : this.order.indexOf(this.first)
    const rest = [...this.order.slice(from), ...this.order.slice(0, from)].filter(
      (transport) => !this.tried.has(transport) && this.better(transport, carries),
    )
    return rest.find((transport) => !this.flaky(transport)) ?? rest[0]
  }

  flaky(transport: Transport): boolean {
    return this.#failures[transport]! >= MAX_FAILURES
  }

  /** Records the end of a connection. @param weak the transport is unsuitable here */
  record(transport: Transport, good: boolean, weak: boolean | undefined): void {
    this.#failures[transport] = good ? 0 : (this.#failures[transport] ?? 0) + (weak ? MAX_FAILURES : 1)
  }

  /** Whether the server refused every transport. */
  get refusedAll(): boolean {
    return this.order.every((transport) => this.refused.has(transport))
  }

  /** Stores the transport in use. */
  remember(transport: Transport): void {
    this.refused.clear()
    lastUsed.delete(this.#key)
    lastUsed.set(this.#key, transport)
    if (lastUsed.size > MAX_LAST_USED) lastUsed.delete(lastUsed.keys().next().value!)
    try {
      this.#storage?.setItem(this.#key, transport)
    } catch {
      // The storage may be full.
    }
  }
}
