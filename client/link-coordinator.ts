import { isCursor, order } from './cursor.ts'
import type { Link } from './link.ts'
import { TransportSelector } from './transport-selector.ts'
import type { End, GapReason, Message } from './types.ts'

/** Milliseconds after `ready` in which a stream reports a gap, and in which a socket answers the first ping. */
const SETTLE_MS = 50
const PONG_MS = 1000

/**
 * Applies the events of all links to the feed. A probing link takes over once no message is missing between the feed's
 * position and its own.
 */
export class LinkCoordinator extends TransportSelector {
  /** Cursor of the last message or gap. A link that has reached it has caught up with the feed. */
  #lastCursor = ''

  /** @returns whether the link's next event follows the feed's position without a gap */
  #covers({ at }: Link): boolean {
    const { place } = this.host
    return at === place || !isCursor(place) || order(at, place) <= 0
  }

  /** Advances a link. @returns whether the event is new to the feed */
  #advances(link: Link, cursor: string): boolean {
    const { place } = this.host
    const was = link.at
    const ahead = order(cursor, place)
    if (link !== this.main) {
      if (ahead <= 0) {
        link.at = cursor
        this.#adoptIfCaughtUp(link)
        return false
      }
      // Cursors of different epochs have no order: only a link that started at the feed's position is known to follow it.
      if (Number.isNaN(ahead) ? was !== place && isCursor(place) : !this.#covers(link)) {
        this.restart(link)
        return false
      }
      this.adopt(link)
    }
    if (ahead <= 0 || link.closed) return false
    link.at = cursor
    this.slack = 1
    this.attempt = 0
    return true
  }

  ready(link: Link, cursor?: string): void {
    // A gap precedes `settled`. A socket that is open may still not deliver.
    link.grace(link.transport === 'ws' ? PONG_MS : SETTLE_MS, () => this.caughtUp(link))
    if (!cursor || cursor === link.at) return
    if (isCursor(link.at)) {
      this.place(link, cursor)
      return
    }
    link.at = cursor
    if (!this.#covers(link)) this.restart(link)
    else if (!isCursor(this.host.place)) this.host.place = cursor
  }

  caughtUp(link: Link): void {
    if (link === this.main) return
    const first = link.goal === undefined
    link.goal ??= this.#lastCursor
    if (this.#adoptIfCaughtUp(link) || !first) return
    link.grace(link.settings.probe, () => this.reject(link, 'it is slower than the transport in use'))
  }

  /** Adopts a link that has reached its goal. Earlier, it would delay messages that the link in use has delivered. */
  #adoptIfCaughtUp(link: Link): boolean {
    const { goal } = link
    const met = goal !== undefined && this.#covers(link) && !(this.main && order(link.at, goal) < 0)
    if (met) {
      link.grace()
      this.adopt(link)
    }
    return met
  }

  message(link: Link, message: Message, joining?: boolean): void {
    if (!joining) {
      if (!this.#advances(link, message.cursor)) return
      this.#lastCursor = message.cursor
    }
    this.host.message(message, joining)
  }

  place(link: Link, cursor: string): void {
    if (this.#advances(link, cursor)) this.host.place = cursor
  }

  ended(link: Link, end: End, joining?: boolean): void {
    if (!joining) this.place(link, end.cursor)
    if (!link.closed) this.host.ended(end)
  }

  gap(link: Link, reason: GapReason, cursor: string, channel?: string): number {
    const host = this.host
    if (channel) return host.gap(reason, cursor, channel)
    if (reason === 'trimmed' && order(cursor, host.place) <= 0) {
      // The link started at another position, so the gap is not the feed's.
      link.at = link === this.main ? host.place : cursor
    } else if (link !== this.main && (this.main || !this.#covers(link))) {
      this.restart(link)
    } else {
      const pause = host.gap(reason, cursor)
      link.at = this.#lastCursor = cursor
      this.adopt(link)
      return pause
    }
    return 0
  }

  skipped(link: Link, error: Error): void {
    this.host.fault(error, link.transport)
  }
}
