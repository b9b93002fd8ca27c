import { faultOf } from './answer.ts'
import { isCursor, order } from './cursor.ts'
import { type Envelope, FOREIGN_ANSWER, Link } from './link.ts'
import type { GapReason } from './types.ts'

/** The body of a 200, or part of the body of a 410. */
interface Page {
  readonly cursor: string
  readonly messages: readonly Envelope[]
  readonly more: boolean
  readonly ended?: readonly string[]
  readonly reason: GapReason
}

/** Consecutive immediate empty answers after which the link fails. */
const MAX_IDLE = 3

/** Polls in a loop. */
export class PollLink extends Link {
  async run(): Promise<void> {
    const { probe, pollInterval } = this.settings
    const long = this.transport === 'longpoll'
    let idle = 0
    let bare = 0
    while (!this.closed) {
      // The first long poll returns at once, to show that the transport works.
      const wait = long && this.since ? this.settings.wait : 0
      const began = Date.now()
      const asked = this.at
      this.within(wait * 1000 + probe * Math.min(this.listener.slack, 4))
      const response = await (long ? this.get('longpoll', ['wait', wait]) : this.get('poll'))
      const { status, headers } = response
      if (status !== 200 && status !== 204 && status !== 410) {
        this.fail(await faultOf(response))
        return
      }
      const { messages, more, ended, reason, ...page } =
        status === 204 ? ({} as Page) : await this.#page(response)
      if (this.closed) return
      const cursor = headers.get('tidings-cursor') ?? page.cursor
      const lasted = wait > 0 && Date.now() - began >= wait * 500
      let pause = pollInterval * (0.5 + Math.random() / 2)
      if (!isCursor(cursor) && status === 204 && !lasted && !bare++) {
        // Retried once: some proxies remove headers.
        await this.#rest(pause)
        continue
      }
      if (isCursor(cursor) ? status === 200 && !Array.isArray(messages) : status !== 204 || !lasted) {
        this.fail(FOREIGN_ANSWER)
        return
      }
      // Only a later cursor is progress.
      const moved = isCursor(cursor) && (!isCursor(asked) || order(cursor, asked) > 0)
      this.ready()
      if (status === 410) {
        const gap = (headers.get('tidings-gap') ?? reason) as GapReason
        if (cursor === asked || !/^(trimmed|epoch|ahead)$/.test(gap)) {
          this.fail(FOREIGN_ANSWER)
          return
        }
        pause = this.listener.gap(this, gap, cursor)
      } else {
        for (const message of messages ?? []) if (!message?.end) this.message(message)
        if (isCursor(cursor) && !this.closed) this.listener.place(this, cursor)
        for (const channel of ended ?? []) {
          const last = messages.find((each) => each?.end && each.channel === channel)
          if (!this.closed) this.end({ data: undefined, ...last, channel, cursor: cursor! })
        }
        if (!this.closed && !more) this.listener.caughtUp(this)
        const news = moved && messages?.[0]
        if (long ? news || lasted || !wait : more && moved) pause = idle = 0
        else if (long && ++idle === MAX_IDLE)
          this.fail({ message: 'answers come at once and bring nothing', weak: true })
      }
      if (pause) await this.#rest(pause)
    }
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  async #page(response: Response): Promise<Page> {
    let text = ''
    await this.read(response, (part) => {
      text += part
    })
    try {
      return Object(JSON.parse(text))
    } catch {
      return {} as Page
    }
  }
}
