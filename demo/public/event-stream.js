/**
 * Parses an event stream incrementally, as a browser does (HTML Living Standard, section 9.2.6).
 *
 * @typedef {object} StreamEvent
 * @property {string} type
 * @property {string} data
 * @property {boolean} whole whether all of it is there
 */
export class EventStream {
  #rest = ''
  #type = ''
  #data = []

  /**
   * @param {string} text the next piece, or the beginning of it
   * @param {boolean} [cut] whether the rest of the piece is not there
   * @returns {{ events: StreamEvent[], comment: boolean, pending: boolean }} the events that end in this piece;
   *   whether it has a comment; whether an event has begun that goes on in a later piece
   */
  feed(text, cut = false) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop()
    const events = []
    let comment = false
    for (const line of lines) {
      if (line === '') this.#dispatch(events, true)
      else if (line.startsWith(':')) comment = true
      else this.#field(line)
    }
    if (cut) {
      // The end of the piece was not recorded: report the event so far, and start afresh with the next piece.
      this.#field(this.#rest)
      this.#dispatch(events, false)
      this.#rest = ''
    }
    return { events, comment, pending: this.#rest !== '' || this.#type !== '' || this.#data.length > 0 }
  }

  #field(line) {
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') this.#type = value
    else if (name === 'data') this.#data.push(value)
  }

  /** Events without data are ignored. */
  #dispatch(events, whole) {
    if (this.#data.length > 0)
      events.push({ type: this.#type || 'message', data: this.#data.join('\n'), whole })
    this.#type = ''
    this.#data = []
  }
}
