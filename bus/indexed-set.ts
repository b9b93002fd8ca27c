/** Index of an object that is no member. */
export const NOWHERE = -1

/**
 * A set whose members store their own index. If members come and go with each message, a Set costs several times as
 * much: it rehashes again and again, and each old table points to the next, so that a minor garbage collection finds
 * every former member alive.
 */
export class IndexedSet<K extends string, T extends { [P in K]: number }> {
  readonly #key: K
  readonly #members: T[] = []

  /** @param key the property in which members store their index, initially `NOWHERE`. Only this set writes it. */
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

  /** Adds an object, which must not be a member. */
  add(member: T): void {
    ;(member as Record<K, number>)[this.#key] = this.#members.length
    this.#members.push(member)
  }

  /** Removes a member, if it is one. The last member takes its index. */
  delete(member: T): void {
    if (!this.has(member)) return
    const last = this.#members.pop()!
    if (last !== member) {
      this.#members[member[this.#key]] = last
      ;(last as Record<K, number>)[this.#key] = member[this.#key]
    }
    ;(member as Record<K, number>)[this.#key] = NOWHERE
  }

  /** A copy: members may come and go while the caller iterates. */
  all(): T[] {
    return this.#members.slice()
  }
}
