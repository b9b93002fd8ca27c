import type { Gap, Message } from './types.ts'

/** What waits to be taken: a message, or a hole that an iteration throws. */
export type Item = { readonly message: Message } | { readonly gap: Gap; dispatched: boolean }

interface PendingRead {
  /** Keeps it from being collected. */
  readonly of: MessageIterator
  resolve(result: IteratorResult<Message, void> | Promise<never>): void
}

/** What one iteration has not taken yet. It does not hold the iteration, which may be dropped. */
class Queue {
  readonly items: Item[] = []
  readonly reads: PendingRead[] = []
  done = false
}

/** Who takes messages: the listeners, and iterations, each with a queue of its own. */
export class MessageQueues {
  /** What came while nobody was there; it goes to the first. */
  readonly backlog: Item[] = []
  /** Whether there are listeners, or were. */
  listened = false
  readonly #queues = new Set<Queue>()
  readonly #collected = new FinalizationRegistry<Queue>((queue) => this.leave(queue))
  readonly #limit: number
  readonly #onSpace: () => void
  /** How the feed has ended. */
  end: { readonly error: unknown } | undefined

  /** @param onSpace called when something has been taken, or somebody has left */
  constructor(limit: number, onSpace: () => void) {
    this.#limit = limit
    this.#onSpace = onSpace
  }

  get present(): boolean {
    return this.listened || this.#queues.size > 0
  }

  /** Whether no more can be kept. @param share of what may wait */
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

  /** What it has not taken is for the next, where nobody else is there. */
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

/** Not an async generator: its `return` would wait for a `next` that may never settle. */
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
