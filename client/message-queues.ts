import type { Gap, Message } from './types.ts'

/** A queued message, or a gap for an iteration to throw. */
export type Item = { readonly message: Message } | { readonly gap: Gap; dispatched: boolean }

interface PendingRead {
  /** Keeps the iterator from being collected. */
  readonly of: MessageIterator
  resolve(result: IteratorResult<Message, void> | Promise<never>): void
}

/** The queue of one iteration. It does not reference its iterator, so that an abandoned one can be collected. */
class Queue {
  readonly items: Item[] = []
  readonly reads: PendingRead[] = []
  done = false
}

/** Delivers messages to listeners and iterations. Each iteration has a queue. */
export class MessageQueues {
  /** Messages that arrived before any consumer. The first consumer receives them. */
  readonly backlog: Item[] = []
  /** Whether a message listener was ever added. */
  listened = false
  readonly #queues = new Set<Queue>()
  readonly #collected = new FinalizationRegistry<Queue>((queue) => this.leave(queue))
  readonly #limit: number
  readonly #onSpace: () => void
  /** Set once the feed has closed. */
  end: { readonly error: unknown } | undefined

  /** @param onSpace called after a message was taken or a consumer has left */
  constructor(limit: number, onSpace: () => void) {
    this.#limit = limit
    this.#onSpace = onSpace
  }

  get present(): boolean {
    return this.listened || this.#queues.size > 0
  }

  /** Whether a queue has reached its limit. @param share of the limit, 0 to 1 */
  full(share = 1): boolean {
    const most = this.#limit * share
    return this.backlog.length >= most || [...this.#queues].some(({ items }) => items.length >= most)
  }

  push(item: Item): void {
    for (const queue of this.#queues) {
      queue.items.push(item)
      this.#settle(queue)
    }
  }

  iterate(): MessageIterator {
    const queue = new Queue()
    this.#queues.add(queue)
    const iteration = new MessageIterator(this, queue)
    this.#collected.register(iteration, queue)
    return iteration
  }

  /** Returns unread messages to the backlog if no other consumer is left. */
  leave(queue: Queue): void {
    if (!this.#queues.delete(queue)) return
    const rest = queue.items.splice(0)
    if (!this.present) this.backlog.unshift(...rest)
    queue.done = true
    this.#settle(queue)
    this.#onSpace()
  }

  take(queue: Queue, read: PendingRead): void {
    queue.reads.push(read)
    this.#settle(queue)
    if (!queue.done) this.#onSpace()
  }

  close(error: unknown): void {
    this.end = { error }
    for (const queue of this.#queues) this.#settle(queue)
  }

  #settle(queue: Queue): void {
    const { items, reads } = queue
    while (reads[0] && (items[0] || queue.done || this.end)) {
      const { resolve } = reads.shift()!
      const item = items.shift()
      if (item && 'message' in item) resolve({ value: item.message, done: false })
      else if (item || (!queue.done && this.end?.error)) {
        this.leave(queue)
        resolve(Promise.reject(item ? gapError(item.gap) : this.end!.error))
      } else {
        resolve({ value: undefined, done: true })
      }
    }
  }
}

function gapError(gap: Gap): Error {
  return Object.assign(new Error(gap.advice), { code: 'TIDINGS_ERR_GAP', ...gap })
}

/** Not an async generator: its `return` waits for a pending `next`, which may never settle. */
export class MessageIterator implements AsyncIterableIterator<Message, void, undefined> {
  readonly #owner: MessageQueues
  readonly #queue: Queue

  constructor(owner: MessageQueues, queue: Queue) {
    this.#owner = owner
    this.#queue = queue
  }

  next(): Promise<IteratorResult<Message, void>> {
    return new Promise((resolve) => this.#owner.take(this.#queue, { of: this, resolve }))
  }

  async return(): Promise<IteratorResult<Message, void>> {
    if (!this.#queue.done) this.#owner.leave(this.#queue)
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
