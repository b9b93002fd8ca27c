/** Maximum nesting. A message can be nested more deeply than the stack allows. */
const DEEP = 100

/** The text ended or is not JSON from here on. The values read so far are kept. */
class Broken extends Error {}

/**
 * Parses JSON that may be truncated (RFC 8259). Missing members and elements are omitted, a truncated string is kept as
 * far as it goes, and a number at the end of the text is dropped, because it may be incomplete.
 * @param {string} text
 * @returns {{ value: any, whole: boolean }} `value` is undefined where nothing can be read
 */
export function parsePrefix(text) {
  try {
    return { value: JSON.parse(text), whole: true }
  } catch {
    const reader = new Reader(text)
    let value
    try {
      reader.value(0, (read) => {
        value = read
      })
    } catch (error) {
      if (!(error instanceof Broken)) throw error
    }
    return { value, whole: false }
  }
}

const LITERAL = /true|false|null/y
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const STRING = /"(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*/y

class Reader {
  #text
  #at = 0

  constructor(text) {
    this.#text = text
  }

  /**
   * Passes on each value before it is complete, so that it is kept where the text ends.
   * @param {number} depth
   * @param {(value: unknown) => void} take
   */
  value(depth, take) {
    const first = this.#next()
    if (first === '{' || first === '[') {
      if (depth === DEEP) throw new Broken()
      if (first === '{') this.#object(depth, take)
      else this.#array(depth, take)
    } else if (first === '"') this.#string(take)
    else {
      const word = this.#match(LITERAL) ?? this.#match(NUMBER)
      if (word === undefined || this.#at === this.#text.length) throw new Broken()
      take(JSON.parse(word))
    }
  }

  #object(depth, take) {
    const members = {}
    take(members)
    this.#list('}', () => {
      let name = ''
      if (this.#next() !== '"') throw new Broken()
      this.#string((read) => {
        name = read
      })
      this.#expect(':')
      this.value(depth + 1, (read) => {
        Object.defineProperty(members, name, {
          value: read,
          enumerable: true,
          configurable: true,
          writable: true,
        })
      })
    })
  }

  #array(depth, take) {
    const elements = []
    take(elements)
    this.#list(']', () => {
      const place = elements.length
      this.value(depth + 1, (read) => {
        elements[place] = read
      })
    })
  }

  #list(end, each) {
    this.#at++
    if (this.#next() !== end) {
      each()
      while (this.#next() === ',') {
        this.#at++
        each()
      }
    }
    this.#expect(end)
  }

  #string(take) {
    const text = this.#match(STRING)
    let read
    try {
      read = JSON.parse(`${text}"`)
    } catch {
      throw new Broken()
    }
    take(read)
    this.#expect('"')
  }

  /** @throws Broken if another character follows */
  #expect(character) {
    if (this.#next() !== character) throw new Broken()
    this.#at++
  }

  /** Returns the next character after white space. */
  #next() {
    while (/[ \t\n\r]/.test(this.#text[this.#at] ?? '')) this.#at++
    if (this.#at >= this.#text.length) throw new Broken()
    return this.#text[this.#at]
  }

  #match(pattern) {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#text) ?? []
    if (found !== undefined) this.#at += found.length
    return found
  }
}
