import { performance } from 'node:perf_hooks'

/** A queue that releases each item after its delay, in order. */
export class Delayed<T> {
  readonly #take: (item: T) => boolean
  #items: { readonly item: T; due: number }[] = []
  #last = 0
  #timer: NodeJS.Timeout | undefined
  #full = false

  /** @param take returns false to receive nothing more until `resume` */
  constructor(take: (item: T) => boolean) {
    this.#take = take
  }

  /** @param delay milliseconds */
  push(item: T, delay: number): void {
    // Earlier items go first, even those with a longer delay.
    this.#last = Math.max(this.#last, performance.now() + delay)
    this.#items.push({ item, due: this.#last })
    this.#run()
  }

  /** Continues after `take` returned false. */
  resume(): void {
    this.#full = false
    this.#run()
  }

  /** Releases all items now. */
  hurry(): void {
    this.#last = 0
    for (const each of this.#items) each.due = 0
    this.#run()
  }

  clear(): void {
    this.#items = []
    clearTimeout(this.#timer)
  }

  #run(): void {
    clearTimeout(this.#timer)
    const now = performance.now()
    while (!this.#full && this.#items.length > 0) {
      const { item, due } = this.#items[0]!
      if (due > now) {
        this.#timer = setTimeout(() => this.#run(), due - now)
        return
      }
      this.#items.shift()
      this.#full = !this.#take(item)
    }
  }
}
