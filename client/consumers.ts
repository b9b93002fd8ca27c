import type { Gap, Message } from './types.ts'

/** What waits to be taken: a message, or a hole that an iteration throws. */
export type Item = { readonly message: Message } | { readonly gap: Gap; told: boolean }

interface Taker {
  /** Keeps it from being collected. */
  readonly of: Iteration
  resolve(result: IteratorResult<Message, void> | Promise<never>): void
}

/** What one iteration has not taken yet. It does not hold the iteration, which may be dropped. */
class Line {
  readonly items: Item[] = []
  readonly takers: Taker[] = []
  done = false
}

/** Who takes messages: the listeners, and iterations, each with a line of its own. */
export class Consumers {
  /** What came while nobody was there; it goes to the first. */
  readonly backlog: Item[] = []
  /** Whether there are listeners, or were. */
  listened = false
  readonly #lines = new Set<Line>()
  readonly #dropped = new FinalizationRegistry<Line>((line) => this.leave(line))
  readonly #limit: number
  readonly #relieved: () => void
  /** How the feed has ended. */
  end: { readonly error: unknown } | undefined

  /** @param relieved called when something has been taken, or somebody has left */
  constructor(limit: number, relieved: () => void) {
    this.#limit = limit
    this.#relieved = relieved
  }

  get present(): boolean {
    return this.listened || this.#lines.size > 0
  }

  /** Whether no more can be kept. @param share of what may wait */
  full(share = 1): boolean {
    const most = this.#limit * share
    return this.backlog.length >= most || [...this.#lines].some(({ items }) => items.length >= most)
  }

  push(item: Item): void {
    for (const line of this.#lines) {
      line.items.push(item)
      this.#serve(line)
    }
  }

  iterate(): Iteration {
    const line = new Line()
    this.#lines.add(line)
    const iteration = new Iteration(this, line)
    this.#dropped.register(iteration, line)
    return iteration
  }

  /** What it has not taken is for the next, where nobody else is there. */
  leave(line: Line): void {
    if (!this.#lines.delete(line)) return
    const rest = line.items.splice(0)
    if (!this.present) this.backlog.unshift(...rest)
    line.done = true
    this.#serve(line)
    this.#relieved()
  }

  take(line: Line, taker: Taker): void {
    line.takers.push(taker)
    this.#serve(line)
    if (!line.done) this.#relieved()
  }

  close(error: unknown): void {
    this.end = { error }
    for (const line of this.#lines) this.#serve(line)
  }

  #serve(line: Line): void {
    const { items, takers } = line
    while (takers[0] && (items[0] || line.done || this.end)) {
      const { resolve } = takers.shift()!
      const item = items.shift()
      if (item && 'message' in item) resolve({ value: item.message, done: false })
      else if (item || (!line.done && this.end?.error)) {
        this.leave(line)
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
export class Iteration implements AsyncIterableIterator<Message, void, undefined> {
  readonly #consumers: Consumers
  readonly #line: Line

  constructor(consumers: Consumers, line: Line) {
    this.#consumers = consumers
    this.#line = line
  }

  next(): Promise<IteratorResult<Message, void>> {
    return new Promise((resolve) => this.#consumers.take(this.#line, { of: this, resolve }))
  }

  async return(): Promise<IteratorResult<Message, void>> {
    if (!this.#line.done) this.#consumers.leave(this.#line)
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
