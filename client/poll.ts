import { type Envelope, faultOf, Link } from './link.ts'
import type { GapReason } from './types.ts'

interface Page {
  readonly cursor: string
  readonly messages: readonly Envelope[]
  readonly more: boolean
}

/** Asks again and again. */
export class PollLink extends Link {
  /** Seconds for which an answer may be held; undefined where none is. */
  protected readonly wait: number | undefined

  async run(): Promise<void> {
    const { probe, pollInterval } = this.settings
    let { cursor } = this
    while (!this.closed) {
      // The first answer is not waited for: it shows that this way is open.
      const wait = this.since ? (this.wait ?? 0) : 0
      const began = Date.now()
      this.within(wait * 1000 + probe)
      const response = await (this.wait === undefined
        ? this.get(this.url('poll', cursor))
        : this.get(this.url('longpoll', cursor, ['wait', wait])))
      const { status, headers } = response
      let more = false
      if (status === 200) {
        const page = (await response.json()) as Page
        this.opened()
        for (const message of page.messages) this.message(message)
        ;({ cursor, more } = page)
        more ||= this.wait !== undefined
      } else if (status === 204 || status === 410) {
        this.opened()
        cursor = headers.get('tidings-cursor') ?? cursor
        if (status === 410) this.gap(headers.get('tidings-gap') as GapReason, cursor)
        // One that was held comes again at once; an answer that should have been held and was not must not spin.
        more = status === 410 || (!!this.wait && Date.now() - began >= wait * 500)
      } else {
        this.fail(faultOf(response))
        return
      }
      this.place(cursor)
      if (!more)
        await new Promise<void>((resolve) => this.after(pollInterval * (0.5 + Math.random() / 2), resolve))
    }
  }
}

/** Asks, and is answered when there is news. */
export class LongPollLink extends PollLink {
  protected override readonly wait: number = this.settings.wait
}
