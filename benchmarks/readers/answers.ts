/** One HTTP/1.1 answer; text is latin1, so that a character is a byte. */
export interface HttpAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Cuts what comes over a connection into answers (RFC 9112). Bodies have a length, or the answer has none. */
export class Answers {
  readonly #done: (answer: HttpAnswer) => void
  #text = ''

  constructor(done: (answer: HttpAnswer) => void) {
    this.#done = done
  }

  /** Whether a part of an answer has come, and the rest of it has not. */
  get begun(): boolean {
    return this.#text !== ''
  }

  /** @throws where a body's length is not told */
  take(part: string): void {
    this.#text += part
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n')
      if (end === -1) return
      const head = this.#text.slice(0, end + 2)
      const status = Number(head.slice(9, 12))
      const length = lengthOf(status, head)
      if (this.#text.length < end + 4 + length) return
      const body = this.#text.slice(end + 4, end + 4 + length)
      // What a server may send behind its last answer is none.
      this.#text = isLast(head) ? '' : this.#text.slice(end + 4 + length)
      this.#done({ status, head, body })
    }
  }
}

function lengthOf(status: number, head: string): number {
  if (status === 204 || status === 304) return 0
  const length = headerOf(head, 'content-length')
  // A refusal that ends with the connection: of what it says the status is enough.
  if (length === undefined && status >= 400 && isLast(head)) return 0
  if (length === undefined || headerOf(head, 'content-encoding') !== undefined) {
    throw new Error(
      `An answer is compressed or of unknown length; try --header-profile minimal: ${head.split('\r\n', 1)[0]}`,
    )
  }
  return Number(length)
}

/** A header's value. @param name in small letters */
export function headerOf(head: string, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}:[ \\t]*([^\\r]*)`, 'i').exec(head)?.[1]
}

/** Whether it is the last answer of its connection (RFC 9112 section 9.6). */
export function isLast(head: string): boolean {
  return /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(headerOf(head, 'connection') ?? '')
}
