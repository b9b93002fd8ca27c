import { FOREIGN_ANSWER, Link } from './link.ts'
import type { SourceLike } from './types.ts'

/** The longest `retry:` that the server sends to a refused client. */
const LONGEST_RETRY = 15_000

/** A stream of server-sent events, read by an EventSource that the user passed. */
export class SourceLink extends Link {
  #source: SourceLike | undefined

  run(): void {
    const { EventSource, request, probe } = this.settings
    const source = new EventSource!(this.url('sse', ...Object.entries(this.auth.query ?? {})), {
      withCredentials: request.credentials === 'include',
    })
    this.#source = source
    for (const type of ['ready', 'message', 'gap', 'end']) {
      source.addEventListener(type, ({ data, lastEventId }) => {
        let frame: never
        try {
          frame = JSON.parse(data) as never
        } catch (error) {
          if (this.since) this.skip(error, lastEventId)
          else this.fail(FOREIGN_ANSWER)
          return
        }
        // An EventSource does not expose heartbeats.
        if (type === 'ready') this.after(0, () => {})
        this.take(type === 'message' ? undefined : type, frame)
      })
    }
    source.onerror = () => {
      // A 502 or a 503 ends it permanently; otherwise it reconnects after `retry:`.
      if (source.readyState === 2) this.fail({ message: 'the EventSource ended' })
      else if (this.since) this.within(LONGEST_RETRY + probe)
    }
  }

  override close(): void {
    super.close()
    this.#source?.close()
  }
}
