/**
 * A queue with access by index. The length of its array is a power of two, and is halved when three quarters are empty,
 * so that the queue returns memory.
 */
export class Ring<T> {
  #items: (T | undefined)[] = [undefined]
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Length of the array. */
  get capacity(): number {
    return this.#items.length
  }

  /** @param index 0 for the oldest, to length - 1 */
  at(index: number): T {
    return this.#items[(this.#head + index) & (this.#items.length - 1)] as T
  }

  push(item: T): void {
    if (this.#length === this.#items.length) this.#resize(this.#items.length * 2)
    this.#items[(this.#head + this.#length) & (this.#items.length - 1)] = item
    this.#length++
  }

  /** Removes the oldest element. The ring must not be empty. */
  shift(): T {
    const item = this.at(0)
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.#length--
    this.#shrink()
    return item
  }

  /** Removes the youngest element. The ring must not be empty. */
  pop(): T {
    const item = this.at(this.#length - 1)
    this.#items[(this.#head + this.#length - 1) & (this.#items.length - 1)] = undefined
    this.#length--
    this.#shrink()
    return item
  }

  #shrink(): void {
    if (this.#items.length > 1 && this.#length <= this.#items.length / 4) this.#resize(this.#items.length / 2)
  }

  #resize(capacity: number): void {
    const items = new Array<T | undefined>(capacity)
    for (let i = 0; i < this.#length; i++) items[i] = this.at(i)
    this.#items = items
    this.#head = 0
  }
}
