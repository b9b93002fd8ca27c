/** The characters of a token (RFC 9110 section 5.6.2). */
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]*/y
const BLANKS = /[ \t]*/y
const SECONDS = /^[0-9]+$/

/**
 * The seconds of the first `wait` in a Prefer header. Malformed preferences are skipped.
 * @returns undefined if there is none, or its value is no number
 * @see RFC 7240 section 2
 */
export function preferredWait(prefer: string): number | undefined {
  const scanner = new Scanner(prefer)
  while (!scanner.done) {
    const preference = scanner.preference()
    if (preference?.name.toLowerCase() !== 'wait') continue
    return SECONDS.test(preference.value) ? Number(preference.value) : undefined
  }
}

/**
 * Scans a header once. A preference is a name, an optional value (a token or a quoted string) and optional parameters.
 */
class Scanner {
  readonly #text: string
  #at = 0
  /** Set after an unterminated quoted string: no later one is terminated either. */
  #unclosed = false

  constructor(text: string) {
    this.#text = text
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  /** The next preference, or undefined if it is malformed. The scan continues after its comma. */
  preference(): { name: string; value: string } | undefined {
    this.#blanks()
    const name = this.#take(TOKEN)
    this.#blanks()
    let value: string | undefined = ''
    if (name !== '' && this.#skip('=')) {
      this.#blanks()
      value = this.#text[this.#at] === '"' ? this.#quoted() : this.#take(TOKEN)
      this.#blanks()
    }
    const whole = name !== '' && value !== undefined && (!this.#skip(';') || this.#parameters())
    if (whole && (this.done || this.#skip(','))) return { name, value: value! }
    const comma = this.#text.indexOf(',', this.#at)
    this.#at = comma === -1 ? this.#text.length : comma + 1
  }

  #take(sticky: RegExp): string {
    sticky.lastIndex = this.#at
    const [taken] = sticky.exec(this.#text)!
    this.#at += taken.length
    return taken
  }

  #blanks(): void {
    this.#take(BLANKS)
  }

  #skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  /** The content of the quoted string that begins here; undefined if it is unterminated. */
  #quoted(): string | undefined {
    if (this.#unclosed) return undefined
    let content = ''
    for (let i = this.#at + 1; i < this.#text.length; i++) {
      if (this.#text[i] === '"') {
        this.#at = i + 1
        return content
      }
      if (this.#text[i] === '\\') i++
      content += this.#text[i] ?? ''
    }
    this.#unclosed = true
  }

  /** Skips to the comma or the end. @returns false at an unterminated quoted string */
  #parameters(): boolean {
    while (!this.done && this.#text[this.#at] !== ',') {
      if (this.#text[this.#at] !== '"') this.#at++
      else if (this.#quoted() === undefined) return false
    }
    return true
  }
}
