import type { Settings } from './settings.ts'
import type { Transport } from './types.ts'

/** Short lives of a transport in a row, after which others come first. */
const STRIKES = 3

/** What worked, by address and list, for where nothing is stored; of so many addresses. */
const worked = new Map<string, string>()
const MOST_WORKED = 100

/** What is known of the transports: how they are liked, and how they have done. */
export class Ranking {
  /** As they are liked: what the user has switched to comes first. */
  order: Transport[]
  /** Where a round of tries begins: at what worked. */
  first: Transport
  /** Those that this round has tried. */
  readonly tried = new Set<Transport>()
  /** Those that were refused, in a row. */
  readonly refused = new Set<Transport>()
  readonly #strikes: Partial<Record<Transport, number>> = {}
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
    this.first = transports.find((each) => each === (known ?? worked.get(this.#key))) ?? transports[0]!
  }

  like(transport: Transport): void {
    this.order = [transport, ...this.order.filter((other) => other !== transport)]
  }

  /** @param carries what is to be bettered; undefined where nothing carries */
  better(transport: Transport, carries: Transport | undefined): boolean {
    return !carries || this.order.indexOf(transport) < this.order.indexOf(carries)
  }

  /** The best that this round has not tried, of those that are better than what carries. */
  rest(carries: Transport | undefined): Transport | undefined {
    const from = carries ? 0 : this.order.indexOf(this.first)
    const rest = [...this.order.slice(from), ...this.order.slice(0, from)].filter(
      (transport) => !this.tried.has(transport) && this.better(transport, carries),
    )
    return rest.find((transport) => !this.struck(transport)) ?? rest[0]
  }

  struck(transport: Transport): boolean {
    return this.#strikes[transport]! >= STRIKES
  }

  /** It has ended. @param weak it is no good here */
  note(transport: Transport, good: boolean, weak: boolean | undefined): void {
    this.#strikes[transport] = good ? 0 : (this.#strikes[transport] ?? 0) + (weak ? STRIKES : 1)
  }

  /** Whether each of them was refused. */
  get hopeless(): boolean {
    return this.order.every((transport) => this.refused.has(transport))
  }

  /** It carries. */
  remember(transport: Transport): void {
    this.refused.clear()
    worked.delete(this.#key)
    worked.set(this.#key, transport)
    if (worked.size > MOST_WORKED) worked.delete(worked.keys().next().value!)
    try {
      this.#storage?.setItem(this.#key, transport)
    } catch {
      // A storage may be full; what worked is not worth more.
    }
  }
}
