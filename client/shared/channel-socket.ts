import { connect } from '../index.ts'
import type { ConnectOptions, Feed, SocketLike, Transport } from '../types.ts'
import { encoded, frameOf, placeOf, reaches, type State, type TabMessage } from './tab-message.ts'

/** Order for catching up: transports that answer at once go first. */
const CATCH_UP_ORDER: readonly Transport[] = ['poll', 'longpoll', 'sse', 'ws']
/** Milliseconds between two checks of the catch-up feed. */
const POLL_MS = 20

/** The tab of a connection. */
export interface Tab {
  readonly id: string
  readonly url: string
  readonly options: ConnectOptions
  /** The last state of the leader. */
  readonly state: State | undefined
  readonly sockets: Set<ChannelSocket>
  /** Requests the leader's state. */
  hello(): void
  /** Sends a message to all tabs, including this one. */
  post(note: TabMessage): void
  /** A socket of the tab has closed. */
  left(): void
}

let count = 0

/**
 * The connection of one tab, as its feed sees it: a WebSocket to the leading tab. It follows the position of its own
 * tab: it drops messages that the tab has, and if the leader is ahead, it reads the missing messages from the server.
 */
export class ChannelSocket implements SocketLike {
  readonly id: string
  readyState = 0
  readonly bufferedAmount = 0
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number; reason: string; final: boolean }) => void) | null = null
  onerror: (() => void) | null = null
  readonly #tab: Tab
  /** Position of the tab: a cursor or a start position. */
  #at: string
  /** Reads the messages between this tab and the leader. */
  #catchUpFeed: Feed | undefined
  #timer: ReturnType<typeof setInterval> | undefined
  #pinged = false
  #switched: ((carries: boolean) => void) | undefined

  constructor(tab: Tab, url: string) {
    this.#tab = tab
    this.#at = new URL(url).searchParams.get('cursor') ?? 'now'
    this.id = `${tab.id} ${++count}`
    tab.sockets.add(this)
    // The feed adds its listeners first.
    queueMicrotask(() => {
      if (tab.state) this.update(tab.state)
      else tab.hello()
    })
  }

  update(state: State): void {
    if (state.refused !== undefined) this.fail(1008, state.refused, true)
    if (this.readyState > 1 || !state.open) return
    const { place, after } = state
    if (this.readyState === 0 && !this.#catchUpFeed) {
      if (this.#at === 'now') this.#at = place!
      if (placeOf(this.#at)) this.#open(this.#at)
      if (!reaches(this.#at, after) || !reaches(place, this.#at)) this.#catchUp()
    }
    if (this.#catchUpFeed) this.#finishCatchUp()
    else if (reaches(this.#at, after) && reaches(place, this.#at)) this.#at = place!
    if (this.#pinged && this.readyState === 1) {
      this.#pinged = false
      this.receive(JSON.stringify({ type: 'pong', cursor: this.#at }))
    }
  }

  item({ after, cursor, frame }: Extract<TabMessage, { type: 'item' }>): void {
    if (this.readyState !== 1) return
    if (this.#catchUpFeed) this.#finishCatchUp()
    // The catch-up feed may have reached a new epoch first.
    else if (reaches(this.#at, cursor)) return
    else if (reaches(this.#at, after)) this.#deliver(cursor, frame)
    else this.#catchUp()
  }

  #open(cursor: string): void {
    this.readyState = 1
    this.receive(JSON.stringify({ type: 'ready', cursor }))
  }

  #deliver(cursor: string, frame: string): void {
    this.#at = cursor
    this.receive(frame)
  }

  receive(data: string): void {
    const switched = this.#switched
    if (switched && data.startsWith('{"type":"switched"')) {
      this.#switched = undefined
      switched(JSON.parse(data).carries)
    } else if (this.readyState === 1) this.onmessage?.({ data })
  }

  /** Reads the messages between this tab and the leader from the server. */
  #catchUp(): void {
    const { url, options } = this.#tab
    const { transports = CATCH_UP_ORDER } = options
    const feed = connect(url, {
      ...options,
      cursor: this.#at,
      transports: CATCH_UP_ORDER.filter((transport) => transports.includes(transport)),
      pollInterval: POLL_MS,
    })
    this.#catchUpFeed = feed
    const started = (cursor: string) => {
      if (this.readyState === 0) this.#open(cursor)
    }
    feed.onmessage = (message) => {
      const { epoch, seq } = placeOf(message.cursor)!
      started(`${epoch}.${seq - 1}`)
      this.#deliver(message.cursor, frameOf(message))
      this.#finishCatchUp()
    }
    feed.ongap = ({ reason, cursor }) => {
      started(cursor)
      this.#deliver(cursor, JSON.stringify({ type: 'gap', reason, cursor }))
      this.#finishCatchUp()
    }
    feed.onend = ({ channel, cursor, data }) => {
      started(cursor)
      this.#deliver(cursor, JSON.stringify({ type: 'end', channel, cursor, ...encoded(data) }))
    }
    feed.onclose = ({ reason }) => {
      if (this.#catchUpFeed === feed) this.fail(1008, reason, true)
    }
    // The cursor also moves past other channels, without an event.
    this.#timer = setInterval(() => {
      if (!feed.cursor || feed.readyState !== 1) return
      started(feed.cursor)
      this.#at = feed.cursor
      this.#finishCatchUp()
    }, POLL_MS)
  }

  /** Ends the catch-up once it reaches the leader's next item. */
  #finishCatchUp(): void {
    // Before it is open, its position is the start position.
    if (this.#catchUpFeed?.readyState === 1 && reaches(this.#at, this.#tab.state?.after)) this.#stop()
  }

  #stop(): void {
    const feed = this.#catchUpFeed
    this.#catchUpFeed = undefined
    clearInterval(this.#timer)
    feed?.close()
  }

  send(text: string): void {
    const { leader } = this.#tab.state ?? {}
    const frame = JSON.parse(text)
    if (frame.type === 'ping') {
      this.#pinged = true
      this.#tab.hello()
    } else if (leader) this.#tab.post({ type: 'publish', leader, socket: this.id, frame })
  }

  /** Asks the leader to switch the transport. */
  switchTo(transport: Transport): Promise<boolean> {
    this.#switched?.(false)
    return new Promise((resolve) => {
      this.#switched = resolve
      const { leader } = this.#tab.state ?? {}
      if (leader) this.#tab.post({ type: 'switch', leader, socket: this.id, transport })
      else resolve(false)
    })
  }

  /** @param final whether a retry cannot succeed */
  fail(code: number, reason: string, final = false): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.#stop()
    this.#switched?.(false)
    this.#tab.sockets.delete(this)
    this.onclose?.({ code, reason, final })
    this.#tab.left()
  }

  close(code = 1000): void {
    queueMicrotask(() => this.fail(code, ''))
  }
}
