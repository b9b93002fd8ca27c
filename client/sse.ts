import { faultOf, Link } from './link.ts'

/** A stream of server-sent events, read with fetch: that shows answers, `retry:` and heartbeats, in Node, too. */
export class SseLink extends Link {
  /** As the server asked for. */
  #retry: number | undefined

  async run(): Promise<void> {
    const response = await this.get(this.url('sse', this.cursor))
    if (response.status !== 200 || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
      this.fail(faultOf(response))
      return
    }
    try {
      await this.#read(response.body!.getReader())
    } catch {
      // As good as an end.
    }
    this.fail({ message: 'the stream ended', ...(this.#retry && { after: this.#retry }) })
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let text = ''
    let event: Record<string, string> = {}
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      if (this.since) this.within(this.settings.silence)
      // A CR at the end may be the first half of a CRLF.
      const lines = (text + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/)
      text = lines.pop()!
      for (const line of lines) {
        if (line === '') {
          this.#take(event)
          event = {}
          continue
        }
        // Its data is one line.
        const [, name, data] = /^([^:]*):? ?(.*)$/s.exec(line)!
        if (name === 'retry') this.#retry = Number(data)
        else event[name!] = data!
      }
    }
  }

  #take({ event, data }: Record<string, string>): void {
    if (!data) return
    this.take(event, JSON.parse(data))
    if (event === 'ready') this.within(this.settings.silence)
  }
}
