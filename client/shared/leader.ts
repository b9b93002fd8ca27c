import { connect } from '../index.ts'
import type { ConnectOptions, Fault, Feed, Gap } from '../types.ts'
import { encoded, frameOf, type State, type TabMessage } from './tab-message.ts'

/** Milliseconds for which a closing tab waits for the answers to publishes. */
const CLOSE_GRACE = 1000

/** Owns the connection of all tabs, passes on its events, and publishes. */
export class Leader {
  readonly #leader: string
  readonly #feed: Feed
  readonly #post: (note: TabMessage) => void
  #after: string | undefined
  #refused: string | undefined
  /** Publishes without an answer. */
  readonly #waiting = new Set<Promise<void>>()
  #closed = false

  /**
   * @param options options of the tab; `cursor` is the position of its feed
   * @param post sends a message to all tabs, including this one
   */
  constructor(leader: string, url: string, options: ConnectOptions, post: (note: TabMessage) => void) {
    this.#leader = leader
    this.#post = (note) => {
      if (!this.#closed) post(note)
    }
    const feed = connect(url, options)
    this.#feed = feed
    feed.onmessage = (message) => this.#pass(message.cursor, frameOf(message))
    feed.ongap = ({ reason, cursor }: Gap) =>
      this.#pass(cursor, JSON.stringify({ type: 'gap', reason, cursor }))
    feed.onend = ({ channel, cursor, data }) =>
      this.#pass(cursor, JSON.stringify({ type: 'end', channel, cursor, ...encoded(data) }))
    // The cursor is set after this turn.
    feed.onopen = feed.onstatus = () => queueMicrotask(() => this.announce())
    feed.onerror = ({ error }) => {
      if (feed.readyState !== 1) this.#post({ type: 'down', leader, reason: error.message })
    }
    feed.onclose = ({ reason }) => {
      this.#refused = reason || 'the connection was closed'
      this.announce()
    }
    this.announce(true)
  }

  get state(): State {
    const { cursor, readyState, transport } = this.#feed
    this.#after ??= cursor
    const open = readyState === 1 && !!this.#after
    return {
      leader: this.#leader,
      after: this.#after,
      place: cursor,
      open,
      refused: this.#refused,
      transport,
    }
  }

  announce(elected = false): void {
    this.#post({ type: 'state', elected, ...this.state })
  }

  #pass(cursor: string, frame: string): void {
    this.#post({ type: 'item', leader: this.#leader, after: this.#after, cursor, frame })
    this.#after = cursor
  }

  /** Handles a request of a tab. */
  handle(note: Extract<TabMessage, { type: 'publish' | 'switch' }>): void {
    const done = this.#answer(note).finally(() => this.#waiting.delete(done))
    this.#waiting.add(done)
  }

  async #answer(note: Extract<TabMessage, { type: 'publish' | 'switch' }>): Promise<void> {
    const answer = (frame: object) =>
      this.#post({ type: 'answer', leader: this.#leader, socket: note.socket, frame: JSON.stringify(frame) })
    if (note.type === 'switch') {
      answer({ type: 'switched', carries: await this.#feed.switchTo(note.transport).catch(() => false) })
      this.announce()
      return
    }
    const { channel, data, encoding, ref } = note.frame
    try {
      const bytes = encoding ? Uint8Array.from(atob(data as string), (c) => c.charCodeAt(0)) : data
      const { cursor } = await this.#feed.publish(channel, bytes, note.frame)
      answer({ type: 'published', ref, cursor })
    } catch (error) {
      const { code, message } = error as Error & Fault
      answer({ type: 'error', ref, code, message })
    }
  }

  /** Closes once the publishes are answered, at the latest after CLOSE_GRACE. */
  async retire(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const enough = new Promise((resolve) => {
      timer = setTimeout(resolve, CLOSE_GRACE)
    })
    while (this.#waiting.size) {
      if (await Promise.race([Promise.all(this.#waiting).then(() => false), enough.then(() => true)])) break
    }
    clearTimeout(timer)
    this.close()
  }

  close(): void {
    this.#post({ type: 'gone', leader: this.#leader })
    this.#closed = true
    this.#feed.close()
  }
}
