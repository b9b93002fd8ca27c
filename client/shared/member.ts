import type { ConnectOptions } from '../types.ts'
import type { ChannelSocket, Tab } from './channel-socket.ts'
import { type ChannelLike, here } from './here.ts'
import { Hub } from './hub.ts'
import type { Note, State } from './notes.ts'

/** Milliseconds in which a leader that lives is heard of, if need be by an answer. */
const TICK = 1000
/** Ticks without a word after which the leader is taken for frozen. */
const MISSED = 4
/** Milliseconds in which what a leader has told last must have come. */
const LAST_WORDS = 100

/** A tab among those that share one connection. One of them holds the lock, and leads. */
export class Member implements Tab {
  readonly id = crypto.randomUUID()
  readonly url: string
  readonly options: ConnectOptions
  /** What the leader has told last. */
  state: State | undefined
  readonly sockets = new Set<ChannelSocket>()
  /** Where this tab's own feed stands: a new connection begins there. */
  cursor: () => string | undefined = () => undefined
  #name = ''
  #channel: ChannelLike | undefined
  #hub: Hub | undefined
  #timer: ReturnType<typeof setInterval> | undefined
  #heard = false
  #missed = 0
  /** Ends the wait for the lock. */
  #waiting = new AbortController()
  /** Gives the lock back. */
  #release = () => {}
  #gone = () => {}
  #closing = false
  #closed = false

  /** @param options what the connection needs, whoever leads */
  constructor(url: string, options: ConnectOptions) {
    this.url = url
    this.options = options
  }

  /** @param name equal in all tabs that share */
  join(name: string): void {
    if (this.#closed) return
    this.#name = name
    this.#channel = new here.BroadcastChannel!(name)
    this.#channel.onmessage = ({ data }) => this.#hear(data)
    this.#timer = setInterval(() => this.#tick(), TICK)
    this.hello()
    void this.#queue({ signal: this.#waiting.signal })
  }

  hello(): void {
    if (this.#hub) this.#hub.tell()
    else this.post({ type: 'hello' })
  }

  /** Tells the other tabs, and this one. */
  readonly post = (note: Note): void => {
    if (this.#closed) return
    this.#channel?.postMessage(note)
    if (note.type !== 'hello') this.#hear(note)
  }

  /** Waits for its turn to lead, and leads until it closes or another tab takes the lead from it. */
  async #queue(options: { steal?: boolean; signal?: AbortSignal }): Promise<void> {
    try {
      await here.navigator!.locks!.request(this.#name, options, () => this.#lead())
    } catch {
      // Another tab has taken this one for frozen; or this one waits no more.
    }
    if (this.#hub) {
      this.#demote()
      void this.#queue({ signal: this.#waiting.signal })
    }
  }

  async #lead(): Promise<void> {
    // The lock may be quicker than the last words of the one before, which are answers.
    if (this.state) {
      await new Promise<void>((resolve) => {
        this.#gone = resolve
        setTimeout(resolve, LAST_WORDS)
      })
    }
    if (this.#closing) return
    const options = { ...this.options, cursor: this.cursor() ?? 'now' }
    this.#hub = new Hub(this.id, this.url, options, this.post)
    await new Promise<void>((resolve) => {
      this.#release = resolve
    })
  }

  #demote(): void {
    const hub = this.#hub
    this.#hub = undefined
    hub?.close()
  }

  #tick(): void {
    if (this.#hub) return
    if (this.#heard) this.#missed = 0
    else if (++this.#missed < MISSED) this.hello()
    else {
      this.#missed = 0
      this.#waiting.abort()
      this.#waiting = new AbortController()
      void this.#queue({ steal: true })
    }
    this.#heard = false
  }

  #hear(note: Note): void {
    if (note.type === 'hello') this.#hub?.tell()
    else if (note.type === 'publish' || note.type === 'switch') {
      if (note.leader === this.id) this.#hub?.serve(note)
    } else if (note.type === 'state' && (note.elected || !this.state)) this.#follow(note)
    else if (note.leader === this.state?.leader) {
      this.#heard = true
      if (note.type === 'state') this.#know(note)
      else if (note.type === 'gone') this.#follow(undefined)
      else if (note.type === 'item') {
        this.state = { ...this.state, after: note.cursor, place: note.cursor }
        for (const socket of this.sockets) socket.item(note)
      } else if (note.type === 'down') {
        this.state = { ...this.state, open: false }
        for (const socket of this.sockets) socket.fail(1006, note.reason)
      } else for (const socket of this.sockets) if (socket.id === note.socket) socket.hear(note.frame)
    }
  }

  /** Another leads, or nobody. */
  #follow(state: State | undefined): void {
    const { leader } = this.state ?? {}
    this.#heard = true
    if (leader !== undefined && leader !== state?.leader) {
      for (const socket of this.sockets) socket.fail(1001, 'another tab takes the lead')
    }
    this.state = state
    if (state) this.#know(state)
    else this.#gone()
  }

  #know(state: State): void {
    this.state = state
    for (const socket of this.sockets) socket.know(state)
  }

  /** The tab's feed is closed: it goes once what it has published is answered. */
  close(): void {
    this.#closing = true
    this.left()
  }

  /** A socket has closed. */
  left(): void {
    if (this.#closing && !this.sockets.size) void this.#leave()
  }

  async #leave(): Promise<void> {
    clearInterval(this.#timer)
    this.#waiting.abort()
    await this.#hub?.retire()
    this.#hub = undefined
    this.#closed = true
    this.#release()
    this.#channel?.close()
  }
}
