import { performance } from 'node:perf_hooks'

/** Things that come out in the order in which they went in, each after its delay. */
export class Delayed<T> {
  readonly #take: (item: T) => boolean
  #items: { readonly item: T; due: number }[] = []
  #last = 0
  #timer: NodeJS.Timeout | undefined
  #full = false

  /** @param take false: nothing more until `resume` */
  constructor(take: (item: T) => boolean) {
    this.#take = take
  }

  /** @param delay milliseconds */
  push(item: T, delay: number): void {
    // What came before it goes first, also where its delay was longer.
    this.#last = Math.max(this.#last, performance.now() + delay)
    this.#items.push({ item, due: this.#last })
    this.#run()
  }

  /** There is room again. */
  resume(): void {
    this.#full = false
    this.#run()
  }

  /** All that waits is due. */
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
