/**
 * A queue that grows at one end, shrinks at the other, and is read by index. Its array is a power of two long and is
 * halved when three quarters of it stand empty, so that what was taken out gives its memory back.
 */
export class Ring<T> {
  #items: (T | undefined)[] = [undefined]
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Places in its array. */
  get capacity(): number {
    return this.#items.length
  }

  /** @param index from 0, the oldest, to length - 1 */
  at(index: number): T {
    return this.#items[(this.#head + index) & (this.#items.length - 1)] as T
  }

  push(item: T): void {
    if (this.#length === this.#items.length) this.#resize(this.#items.length * 2)
    this.#items[(this.#head + this.#length) & (this.#items.length - 1)] = item
    this.#length++
  }

  /** Takes the oldest out. The ring must not be empty. */
  shift(): T {
    const item = this.at(0)
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.#length--
    this.#shrink()
    return item
  }

  /** Takes the youngest out. The ring must not be empty. */
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
