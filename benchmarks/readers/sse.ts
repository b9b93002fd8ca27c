import { deferred, deliverAll, type Reader, ReaderConnection, type ReaderContext } from './reader.ts'

const BREAK = '\r\n'
const DATA = 'data: '
const ID = '\nid: '
/** A heartbeat ends without an empty line, so it precedes the next event. */
const BEATS = /^(?::\n)*/

/** Decodes the chunked transfer coding of HTTP/1.1 (RFC 9112 section 7.1). */
export class ChunkDecoder {
  readonly #take: (text: string) => void
  #raw = ''

  constructor(take: (text: string) => void) {
    this.#take = take
  }

  take(part: string): void {
    this.#raw += part
    let text = ''
    for (;;) {
      const end = this.#raw.indexOf(BREAK)
      const size = Number.parseInt(this.#raw.slice(0, Math.max(0, end)), 16)
      if (end === -1 || this.#raw.length < end + 4 + size) break
      text += this.#raw.slice(end + 2, end + 2 + size)
      this.#raw = this.#raw.slice(end + 4 + size)
    }
    if (text !== '') this.#take(text)
  }
}

/** Reads an SSE stream in chunked transfer coding. */
export function sseReader(common: ReaderContext, reader: number, channel: string): Reader {
  const { promise: ready, open } = deferred()
  /** Bytes before the end of the head, and decoded text without a complete event. */
  let raw = ''
  let text = ''
  const chunks = new ChunkDecoder((more) => {
    text += more
  })
  let headed = false
  let received = 0

  const line = new ReaderConnection(common, {
    data: (part, at) => {
      if (headed) chunks.take(part.toString('latin1'))
      else {
        raw += part.toString('latin1')
        const end = raw.indexOf(BREAK + BREAK)
        if (end === -1) return
        const head = raw.slice(0, end)
        if (!head.startsWith('HTTP/1.1 200') || !/\r\ntransfer-encoding: chunked/i.test(head)) {
          throw new Error(`/sse returned ${head.split(BREAK, 1)[0]}, or is not chunked`)
        }
        headed = true
        chunks.take(raw.slice(end + 4))
      }
      const end = text.lastIndexOf('\n\n')
      if (end === -1) return
      for (const event of text.slice(0, end).split('\n\n')) take(event, at)
      text = text.slice(end + 2)
    },
    answers: common.prompt ?? false,
  })

  const take = (block: string, at: number) => {
    const event = block.replace(BEATS, '')
    if (event.startsWith('event: ready')) open()
    else if (event.startsWith('event: ')) throw new Error(`/sse sent ${event}`)
    else if (event.startsWith(DATA)) {
      common.tally.envelopes += event.lastIndexOf(ID) - DATA.length
      received += deliverAll(common, reader, event, at)
    }
  }
  line.request('sse', `channel=${channel}&cursor=now`)

  return {
    ready,
    stop() {
      line.stop()
      // A stream's single request is empty only if no message ever arrived.
      if (received === 0) common.tally.empty++
    },
  }
}
