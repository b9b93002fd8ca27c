/** An HTTP/1.1 response. Text is latin1, so one character is one byte. */
export interface HttpResponse {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Parses HTTP/1.1 responses (RFC 9112) with a content-length or without a body. */
export class ResponseParser {
  readonly #done: (answer: HttpResponse) => void
  #text = ''

  constructor(done: (answer: HttpResponse) => void) {
    this.#done = done
  }

  /** Whether a response has arrived partially. */
  get begun(): boolean {
    return this.#text !== ''
  }

  /** @throws if the body has no content-length */
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
      // Ignore data after the last response of the connection.
      this.#text = closesConnection(head) ? '' : this.#text.slice(end + 4 + length)
      this.#done({ status, head, body })
    }
  }
}

function lengthOf(status: number, head: string): number {
  if (status === 204 || status === 304) return 0
  const length = headerOf(head, 'content-length')
  // For an error response that closes the connection, the status is enough.
  if (length === undefined && status >= 400 && closesConnection(head)) return 0
  if (length === undefined || headerOf(head, 'content-encoding') !== undefined) {
    throw new Error(
      `A response is compressed or has no content-length; try --header-profile minimal: ${head.split('\r\n', 1)[0]}`,
    )
  }
  return Number(length)
}

/** Returns a header's value. @param name in lower case */
export function headerOf(head: string, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}:[ \\t]*([^\\r]*)`, 'i').exec(head)?.[1]
}

/** Whether this is the last response of the connection (RFC 9112 section 9.6). */
export function closesConnection(head: string): boolean {
  return /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(headerOf(head, 'connection') ?? '')
}
