/** Not a member. */
export const NOWHERE = -1

/**
 * A set whose members note their own places in it. Where members come and go with each message a Set costs a
 * multiple: it moves to a new table again and again, each table that is left behind points to the next, and so the
 * garbage collector finds all that was ever in it alive until it looks at the whole heap.
 */
export class IndexedSet<K extends string, T extends { [P in K]: number }> {
  readonly #key: K
  readonly #members: T[] = []

  /** @param key the members' property for their place here, `NOWHERE` at first. Set by the roster alone. */
  constructor(key: K) {
    this.#key = key
  }

  get size(): number {
    return this.#members.length
  }

  has(member: T): boolean {
    const at = member[this.#key]
    return at !== NOWHERE && this.#members[at] === member
  }

  /** One that is not a member yet. */
  add(member: T): void {
    ;(member as Record<K, number>)[this.#key] = this.#members.length
    this.#members.push(member)
  }

  /** Deleting twice is harmless. The last member takes the place. */
  delete(member: T): void {
    if (!this.has(member)) return
    const last = this.#members.pop()!
    if (last !== member) {
      this.#members[member[this.#key]] = last
      ;(last as Record<K, number>)[this.#key] = member[this.#key]
    }
    ;(member as Record<K, number>)[this.#key] = NOWHERE
  }

  /** As they are now: while one goes through them, they may come and go. */
  all(): T[] {
    return this.#members.slice()
  }
}
