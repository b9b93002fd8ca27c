/**
 * Simulates long polling for loads above the limit of the formulas. It follows every event of one server with a FIFO
 * queue.
 *
 * There are two kinds of work. A *message* takes s for each reader that is held at that time; their responses leave one
 * by one. A *request* takes s_r. If there is a new message for its reader, the response takes s more. Otherwise the
 * server holds the request. A response reaches its reader after d; the next request arrives g − d later. After W, the
 * server answers a held request with an empty response, which takes s.
 *
 * Times are in seconds. The same random numbers give the same result.
 */
export interface Simulation {
  readonly rate: number
  readonly oneWay: number
  /** g: from a response until the next request arrives. */
  readonly gap: number
  readonly wait: number
  readonly readers: number
  /** s_r: server time per request. */
  readonly request: number
  /** s: server time per response. */
  readonly write: number
  /** Messages to simulate. */
  readonly messages: number
  readonly random: () => number
}

export interface Simulated {
  /** Mean delay from acceptance to delivery. */
  readonly delay: number
  /** Returns a quantile of the delay. */
  quantile(q: number): number
  /** Requests per delivered message. */
  readonly requests: number
  readonly emptyShare: number
}

type Event =
  | { readonly at: number; readonly kind: 'message' }
  | { readonly at: number; readonly kind: 'request'; readonly reader: number }
  | { readonly at: number; readonly kind: 'expiry'; readonly reader: number; readonly hold: number }

export function simulateLongPoll(simulation: Simulation): Simulated {
  const { rate, oneWay, gap, wait, readers, request, write, messages, random } = simulation
  const events = new Heap()
  const published: number[] = []
  const seen = new Int32Array(readers)
  /** Per reader: 0 if not held, otherwise the number of the hold, which detects the timeout of an earlier hold. */
  const held = new Int32Array(readers)
  let waiting: number[] = []
  const delays = new Float64Array(readers * messages)
  let delivered = 0
  let requests = 0
  let empty = 0
  let holds = 0
  let free = 0

  const next = (at: number) => at - Math.log1p(-random()) / rate
  const answer = (reader: number) => {
    free += write
    for (let n = seen[reader]!; n < published.length; n++) delays[delivered++] = free + oneWay - published[n]!
    seen[reader] = published.length
    events.push({ at: free + gap, kind: 'request', reader })
  }

  for (let reader = 0; reader < readers; reader++) events.push({ at: 0, kind: 'request', reader })
  events.push({ at: next(gap), kind: 'message' })

  while (delivered < readers * messages) {
    const event = events.pop()
    free = Math.max(free, event.at)
    if (event.kind === 'message') {
      published.push(free)
      if (published.length < messages) events.push({ at: next(event.at), kind: 'message' })
      const row = waiting
      waiting = []
      for (const reader of row) {
        // The hold has timed out, or the reader is in the list twice.
        if (held[reader] === 0) continue
        held[reader] = 0
        answer(reader)
      }
    } else if (event.kind === 'request') {
      const { reader } = event
      requests++
      free += request
      if (seen[reader]! < published.length) answer(reader)
      else {
        held[reader] = ++holds
        waiting.push(reader)
        events.push({ at: free + wait, kind: 'expiry', reader, hold: holds })
      }
    } else if (held[event.reader] === event.hold) {
      held[event.reader] = 0
      empty++
      answer(event.reader)
    }
  }

  delays.sort()
  return {
    delay: delays.reduce((sum, delay) => sum + delay, 0) / delays.length,
    quantile: (q) => delays[Math.min(delays.length - 1, Math.floor(q * delays.length))]!,
    requests: requests / delivered,
    emptyShare: empty / requests,
  }
}

/** A priority queue of events. Events at the same time keep their insertion order. */
class Heap {
  readonly #items: { event: Event; order: number }[] = []
  #order = 0

  push(event: Event): void {
    const items = this.#items
    let at = items.push({ event, order: this.#order++ }) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) break
      this.#swap(at, parent)
      at = parent
    }
  }

  /** The heap must not be empty. */
  pop(): Event {
    const items = this.#items
    this.#swap(0, items.length - 1)
    const { event } = items.pop()!
    let at = 0
    for (;;) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < items.length && this.#before(child, least)) least = child
      }
      if (least === at) return event
      this.#swap(at, least)
      at = least
    }
  }

  #before(a: number, b: number): boolean {
    const one = this.#items[a]!
    const other = this.#items[b]!
    return one.event.at < other.event.at || (one.event.at === other.event.at && one.order < other.order)
  }

  #swap(a: number, b: number): void {
    const items = this.#items
    ;[items[a], items[b]] = [items[b]!, items[a]!]
  }
}
