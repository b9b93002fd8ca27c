/** An element of a `Line`. */
export interface InLine<T> {
  /** The neighbours. Only the line writes them. */
  before: T | undefined
  behind: T | undefined
}

/**
 * A doubly linked list: members join at the end and leave from anywhere, in constant time. A Set finds its first
 * element only behind the slots of removed ones.
 */
export class Line<T extends InLine<T>> {
  #first: T | undefined
  #last: T | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The oldest member. */
  get first(): T | undefined {
    return this.#first
  }

  /** The youngest member. */
  get last(): T | undefined {
    return this.#last
  }

  /** Appends an object, which must not be a member. */
  add(member: T): void {
    member.before = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.behind = member
    this.#last = member
    this.#size++
  }

  /** Removes a member. */
  delete(member: T): void {
    if (member.before === undefined) this.#first = member.behind
    else member.before.behind = member.behind
    if (member.behind === undefined) this.#last = member.before
    else member.behind.before = member.before
    member.before = undefined
    member.behind = undefined
    this.#size--
  }
}
