import type { Settings } from './settings.ts'
import type { Transport } from './types.ts'

/** Short lives of a transport in a row, after which others come first. */
const MAX_FAILURES = 3

/** What lastUsed, by address and list, for where nothing is stored; of so many addresses. */
const lastUsed = new Map<string, string>()
const MAX_LAST_USED = 100

/** What is known of the transports: how they are liked, and how they have done. */
export class TransportRanking {
  /** As they are liked: what the user has switched to comes first. */
  order: Transport[]
  /** Where a round of tries begins: at what lastUsed. */
  first: Transport
  /** Those that this round has tried. */
  readonly tried = new Set<Transport>()
  /** Those that were refused, in a row. */
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
      // A storage may be forbidden, and say so only when it is asked.
    }
    this.first = transports.find((each) => each === (known ?? lastUsed.get(this.#key))) ?? transports[0]!
  }

  prefer(transport: Transport): void {
    this.order = [transport, ...this.order.filter((other) => other !== transport)]
  }

  /** @param carries what is to be bettered; undefined where nothing carries */
  better(transport: Transport, carries: Transport | undefined): boolean {
    return !carries || this.order.indexOf(transport) < this.order.indexOf(carries)
  }

  /** The best that this round has not tried, of those that are better than what carries. */
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

  /** It has ended. @param weak it is no good here */
  record(transport: Transport, good: boolean, weak: boolean | undefined): void {
    this.#failures[transport] = good ? 0 : (this.#failures[transport] ?? 0) + (weak ? MAX_FAILURES : 1)
  }

  /** Whether each of them was refused. */
  get refusedAll(): boolean {
    return this.order.every((transport) => this.refused.has(transport))
  }

  /** It carries. */
  remember(transport: Transport): void {
    this.refused.clear()
    lastUsed.delete(this.#key)
    lastUsed.set(this.#key, transport)
    if (lastUsed.size > MAX_LAST_USED) lastUsed.delete(lastUsed.keys().next().value!)
    try {
      this.#storage?.setItem(this.#key, transport)
    } catch {
      // A storage may be full; what lastUsed is not worth more.
    }
  }
}
