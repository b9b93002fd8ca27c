/**
 * Simulates long polling for loads above the limit of the formulas. It follows every event of one server with a FIFO
 * queue.
 *
 * There are three kinds of work. A *message* takes h; an idle server first takes w to wake up. The server accepts it p
 * before h ends. A *row* follows it, and takes s for each reader that is held at that time; their responses leave one by
 * one. A *request* takes s_r. If there is a new message for its reader, the response takes s more. Otherwise the server
 * holds the request. A response reaches its reader after d; the next request arrives g − d later. After W, the server
 * answers a held request with an empty response, which takes s. If one process reads for all, it sends one request per c.
 *
 * Messages that arrive before a row starts join it, and share its responses. So do those that arrive while the server
 * does other work.
 *
 * Times are in seconds. The same times give the same result.
 */
export interface Simulation {
  /** Arrival times of the messages, ascending. The first one should find all readers held. */
  readonly times: ArrayLike<number>
  /** Only messages, requests and responses of this span count. @default all */
  readonly window?: { readonly from: number; readonly to: number }
  readonly oneWay: number
  /** g: from a response until the next request arrives. */
  readonly gap: number
  readonly wait: number
  readonly readers: number
  /** s_r: server time per request. */
  readonly request: number
  /** s: server time per response. */
  readonly write: number
  /** h: server time per message. @default 0 */
  readonly publish?: number
  /** p: its part from accepting the message to the start of the row. @default 0 */
  readonly turn?: number
  /** w: time that an idle server takes to wake up. @default 0 */
  readonly wake?: number
  /** c: time per response of the one process that reads for all. @default 0, for separate readers */
  readonly client?: number
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
  | { readonly at: number; readonly kind: 'row' }
  | { readonly at: number; readonly kind: 'request'; readonly reader: number }
  | { readonly at: number; readonly kind: 'expiry'; readonly reader: number; readonly hold: number }

export function simulateLongPoll(simulation: Simulation): Simulated {
  const {
    times,
    oneWay,
    gap,
    wait,
    readers,
    request,
    write,
    publish = 0,
    turn = 0,
    wake = 0,
    client = 0,
  } = simulation
  const { window = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY } } = simulation
  const inside = (at: number) => at >= window.from && at < window.to
  const messages = times.length
  const events = new Heap()
  const published: number[] = []
  /** The number of the first message that counts. */
  let first = 0
  while (first < messages && times[first]! < window.from) first++
  const seen = new Int32Array(readers)
  /** Per reader: 0 if not held, otherwise the number of the hold, which detects the timeout of an earlier hold. */
  const held = new Int32Array(readers)
  let waiting: number[] = []
  const delays = new Float64Array(readers * (messages - first))
  let measured = 0
  let left = readers * messages
  let delivered = 0
  let requests = 0
  let empty = 0
  let holds = 0
  let free = 0
  let due = false
  let busy = 0

  const answer = (reader: number) => {
    free += write
    const at = free + oneWay
    if (inside(at)) requests++
    for (let n = seen[reader]!; n < published.length; n++) {
      left--
      if (inside(at)) delivered++
      if (n >= first) delays[measured++] = at - published[n]!
    }
    seen[reader] = published.length
    const taken = Math.max(free, busy)
    busy = taken + client
    events.push({ at: taken + gap, kind: 'request', reader })
  }

  for (let reader = 0; reader < readers; reader++) events.push({ at: 0, kind: 'request', reader })
  if (messages > 0) events.push({ at: times[0]!, kind: 'message' })

  while (left > 0) {
    const event = events.pop()
    if (event.kind === 'message') {
      free = (free < event.at ? event.at + wake : free) + publish
      published.push(free - turn)
      if (published.length < messages) events.push({ at: times[published.length]!, kind: 'message' })
      if (!due) events.push({ at: free, kind: 'row' })
      due = true
      continue
    }
    free = Math.max(free, event.at)
    if (event.kind === 'row') {
      due = false
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
      free += request
      if (seen[reader]! < published.length) answer(reader)
      else {
        held[reader] = ++holds
        waiting.push(reader)
        events.push({ at: free + wait, kind: 'expiry', reader, hold: holds })
      }
    } else if (held[event.reader] === event.hold) {
      held[event.reader] = 0
      if (inside(free + write + oneWay)) empty++
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
