import type { ConnectOptions } from '../types.ts'
import type { ChannelSocket, Tab } from './channel-socket.ts'
import { Leader } from './leader.ts'
import { type ChannelLike, platform } from './platform.ts'
import type { State, TabMessage } from './tab-message.ts'

/** Milliseconds within which a live leader sends a message. */
const TICK_MS = 1000
/** Silent ticks after which the leader counts as frozen. */
const MAX_MISSED = 4
/** Milliseconds to wait for the last messages of the previous leader. */
const HANDOVER_MS = 100

/** A tab that shares a connection. The tab with the lock leads. */
export class Member implements Tab {
  readonly id = crypto.randomUUID()
  readonly url: string
  readonly options: ConnectOptions
  /** The last state of the leader. */
  state: State | undefined
  readonly sockets = new Set<ChannelSocket>()
  /** Position of this tab's feed: a new connection starts there. */
  cursor: () => string | undefined = () => undefined
  #name = ''
  #channel: ChannelLike | undefined
  #leading: Leader | undefined
  #timer: ReturnType<typeof setInterval> | undefined
  #heardLeader = false
  #missed = 0
  /** Aborts the request for the lock. */
  #waiting = new AbortController()
  /** Releases the lock. */
  #release = () => {}
  #leaderGone = () => {}
  #closing = false
  #closed = false

  /** @param options options of the connection, the same for every leader */
  constructor(url: string, options: ConnectOptions) {
    this.url = url
    this.options = options
  }

  /** @param name equal in all tabs that share */
  join(name: string): void {
    if (this.#closed) return
    this.#name = name
    this.#channel = new platform.BroadcastChannel!(name)
    this.#channel.onmessage = ({ data }) => this.#receive(data)
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.hello()
    void this.#queue({ signal: this.#waiting.signal })
  }

  hello(): void {
    if (this.#leading) this.#leading.announce()
    else this.post({ type: 'hello' })
  }

  /** Sends a message to all tabs, including this one. */
  readonly post = (note: TabMessage): void => {
    if (this.#closed) return
    this.#channel?.postMessage(note)
    if (note.type !== 'hello') this.#receive(note)
  }

  /** Waits for the lock, and leads until the tab closes or loses the lock. */
  async #queue(options: { steal?: boolean; signal?: AbortSignal }): Promise<void> {
    try {
      await platform.navigator!.locks!.request(this.#name, options, () => this.#lead())
    } catch {
      // Another tab stole the lock, or the request was aborted.
    }
    if (this.#leading) {
      this.#demote()
      void this.#queue({ signal: this.#waiting.signal })
    }
  }

  async #lead(): Promise<void> {
    // The lock may arrive before the last answers of the previous leader.
    if (this.state) {
      await new Promise<void>((resolve) => {
        this.#leaderGone = resolve
        setTimeout(resolve, HANDOVER_MS)
      })
    }
    if (this.#closing) return
    const options = { ...this.options, cursor: this.cursor() ?? 'now' }
    this.#leading = new Leader(this.id, this.url, options, this.post)
    await new Promise<void>((resolve) => {
      this.#release = resolve
    })
  }

  #demote(): void {
    const leading = this.#leading
    this.#leading = undefined
    leading?.close()
  }

  #tick(): void {
    if (this.#leading) return
    if (this.#heardLeader) this.#missed = 0
    else if (++this.#missed < MAX_MISSED) this.hello()
    else {
      this.#missed = 0
      this.#waiting.abort()
      this.#waiting = new AbortController()
      void this.#queue({ steal: true })
    }
    this.#heardLeader = false
  }

  #receive(note: TabMessage): void {
    if (note.type === 'hello') this.#leading?.announce()
    else if (note.type === 'publish' || note.type === 'switch') {
      if (note.leader === this.id) this.#leading?.handle(note)
    } else if (note.type === 'state' && (note.elected || !this.state)) this.#follow(note)
    else if (note.leader === this.state?.leader) {
      this.#heardLeader = true
      if (note.type === 'state') this.#update(note)
      else if (note.type === 'gone') this.#follow(undefined)
      else if (note.type === 'item') {
        this.state = { ...this.state, after: note.cursor, place: note.cursor }
        for (const socket of this.sockets) socket.item(note)
      } else if (note.type === 'down') {
        this.state = { ...this.state, open: false }
        for (const socket of this.sockets) socket.fail(1006, note.reason)
      } else for (const socket of this.sockets) if (socket.id === note.socket) socket.receive(note.frame)
    }
  }

  /** The leader has changed. @param state undefined without a leader */
  #follow(state: State | undefined): void {
    const { leader } = this.state ?? {}
    this.#heardLeader = true
    if (leader !== undefined && leader !== state?.leader) {
      for (const socket of this.sockets) socket.fail(1001, 'another tab takes the lead')
    }
    this.state = state
    if (state) this.#update(state)
    else this.#leaderGone()
  }

  #update(state: State): void {
    this.state = state
    for (const socket of this.sockets) socket.update(state)
  }

  /** Closes once the tab's publishes are answered. */
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
    await this.#leading?.retire()
    this.#leading = undefined
    this.#closed = true
    this.#release()
    this.#channel?.close()
  }
}
