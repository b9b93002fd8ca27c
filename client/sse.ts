import { type Failure, faultOf } from './answer.ts'
import { FOREIGN_ANSWER, Link } from './link.ts'
import { waitOf } from './time.ts'

/** Milliseconds for which a proxy may hold back events. */
const LATE = 1000

/** A stream of server-sent events, read with fetch: it exposes responses, `retry:` and heartbeats, also in Node. */
export class SseLink extends Link {
  /** The last `retry:` of the server. */
  #retry: number | undefined
  /** The event being received. */
  #event: Record<string, string> = {}
  /** The times of the first and the last message of one read, and its heartbeats. */
  #first = 0
  #last = 0
  #beats = 0

  async run(): Promise<void> {
    const response = await this.get('sse')
    const { status, headers } = response
    if (status !== 200 || !headers.get('content-type')?.startsWith('text/event-stream')) {
      this.fail(await faultOf(response))
      return
    }
    this.alive()
    const refusal = headers.get('tidings-refused')
    let failure: Failure = { message: refusal ? `the server refused: ${refusal}` : 'the stream ended' }
    try {
      await this.#parse(response)
    } catch (error) {
      // Treated like the end of the stream.
      failure = { message: String(error) }
    }
    const after = this.#retry ?? (refusal ? 0 : undefined)
    this.fail({ ...failure, ...(after !== undefined && { after }) })
  }

  /** @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
  async #parse(response: Response): Promise<void> {
    let rest = ''
    let cr = false
    let read = Date.now()
    await this.read(response, (text) => {
      // A replay arrives as fast as possible, so only reads that had to wait count.
      const waited = this.since > 0 && Date.now() - read > LATE
      this.#first = this.#last = this.#beats = 0
      const lines = (cr && text[0] === '\n' ? text.slice(1) : text).split(/\r\n|\n|\r/)
      cr = text ? text.endsWith('\r') : cr
      lines[0] = rest + lines[0]
      rest = lines.pop()!
      for (const line of lines) this.#line(line)
      if (waited && (this.#last - this.#first > LATE || this.#beats > 1))
        this.fail({ message: 'a proxy holds the stream back', weak: true })
      read = Date.now()
    })
  }

  #line(line: string): void {
    const event = this.#event
    if (line) {
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)!
      if (!name) this.#beats++
      // At its line: it may be the last one.
      else if (name === 'retry') this.#retry = waitOf(value!, 1) ?? this.#retry
      else if (name === 'data') event.data = 'data' in event ? `${event.data}\n${value}` : value!
      else if (name !== 'id' || !value!.includes('\0')) event[name] = value!
      return
    }
    this.#event = {}
    const { event: type, data, id } = event
    if (data) this.#take(type, data, id)
  }

  #take(type: string | undefined, data: string, id: string | undefined): void {
    try {
      const frame = JSON.parse(data)
      this.#last = frame?.time || this.#last
      this.#first ||= this.#last
      this.take(type === 'message' ? undefined : type, frame)
    } catch (error) {
      if (this.since) this.skip(error, id)
      else this.fail(FOREIGN_ANSWER)
    }
    if (type !== 'ready') return
    // The `retry:` of the greeting is only a default for other clients.
    this.#retry = undefined
    this.alive()
  }
}
