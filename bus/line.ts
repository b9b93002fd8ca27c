/** What can stand in one line. */
export interface InLine<T> {
  /** Its neighbours. Set by the line alone. */
  before: T | undefined
  behind: T | undefined
}

/**
 * A line that its members may leave from anywhere, each step in constant time. A Set finds its first element only
 * behind the places of all that were taken out before it.
 */
export class Line<T extends InLine<T>> {
  #first: T | undefined
  #last: T | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Who has stood in it for longest. */
  get first(): T | undefined {
    return this.#first
  }

  /** Who has come last. */
  get last(): T | undefined {
    return this.#last
  }

  /** Puts at the end who does not stand in it. */
  add(member: T): void {
    member.before = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.behind = member
    this.#last = member
    this.#size++
  }

  /** Takes out who stands in it. */
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
