import type { WebSocket } from 'ws'
import { type Control, parseControl } from './control.ts'
import type { DemoState, WatchingPage } from './demo-state.ts'
import type { Lane, Told, Watcher } from './lane.ts'
import type { Lanes } from './lanes.ts'
import { PoissonPublisher } from './poisson-publisher.ts'
import { SimulatedSubscribers } from './simulated-subscribers.ts'

/** Maximum bytes queued for a page. Beyond it, pieces are omitted, and the page receives their count. */
const MOST = 512 * 1024

/** Minimum milliseconds between two reports of traffic. Each one is a task of the page's main thread. */
const PERIOD = 40

/** Maximum simulated subscribers of all pages together. */
const CROWD = 800

/** A message on the channel that a page follows. */
interface Published {
  readonly kind: 'published'
  readonly at: number
  readonly cursor: string
}

/** A page that watches its lanes, and everything that it has started. All of it ends with its socket. */
export class Watch implements Watcher, WatchingPage {
  readonly #state: DemoState
  readonly #lanes: Lanes
  readonly #socket: WebSocket
  readonly #watched: readonly Lane[]
  readonly #flow: PoissonPublisher
  readonly #crowd: SimulatedSubscribers
  #told: (Told | Published)[] = []
  /** Aborted when another channel is followed. */
  #following: { readonly channel: string; readonly life: AbortController } | undefined
  #left = 0
  /** Sends what was told: at the end of this turn, or once the period since the last report is over. */
  #soon: NodeJS.Immediate | undefined
  #later: NodeJS.Timeout | undefined

  constructor(
    state: DemoState,
    socket: WebSocket,
    { lanes, channel, url }: { lanes: readonly string[]; channel: string; url: string },
  ) {
    this.#state = state
    this.#lanes = state.lanes
    this.#socket = socket
    this.#watched = lanes.map((id) => state.lanes.watch(id, this))
    this.#flow = new PoissonPublisher(state.tidings, channel)
    this.#crowd = new SimulatedSubscribers(url, channel)
    state.watches.add(this)
    socket.on('message', (data, binary) => {
      if (binary) socket.close(1003)
      else this.#hear(data.toString())
    })
    socket.once('close', () => this.#release())
    this.#send({ type: 'ready', epoch: state.tidings.bus.log.epoch })
  }

  get crowd(): number {
    return this.#crowd.size
  }

  told(what: Told | Published): void {
    if (this.#socket.bufferedAmount > MOST) this.#left++
    else this.#told.push(what)
    if (this.#later === undefined) this.#soon ??= setImmediate(() => this.#report())
  }

  #report(): void {
    clearImmediate(this.#soon)
    clearTimeout(this.#later)
    this.#soon = undefined
    this.#later = setTimeout(() => {
      this.#later = undefined
      this.#reportRest()
    }, PERIOD)
    const totals = Object.fromEntries(this.#watched.map(({ id, totals }) => [id, totals]))
    this.#send({ type: 'pieces', pieces: this.#told, left: this.#left, totals })
    this.#told = []
    this.#left = 0
  }

  #reportRest(): void {
    if (this.#told.length > 0 || this.#left > 0) this.#report()
  }

  /** Reports each publish before a lane carries its message. */
  #follow(channel: string): void {
    this.#following?.life.abort()
    const life = new AbortController()
    this.#following = { channel, life }
    const messages = this.#state.tidings.subscribe(channel, { signal: life.signal, onGap() {} })
    const tell = async () => {
      for await (const { time, cursor } of messages) this.told({ kind: 'published', at: time, cursor })
    }
    // Readers of the log receive its failures.
    tell().catch(() => {})
  }

  /** Called after the log was restarted. */
  restarted(): void {
    if (this.#following) this.#follow(this.#following.channel)
  }

  #send(what: object): void {
    this.#socket.send(JSON.stringify(what))
  }

  #hear(text: string): void {
    // The answer follows everything that happened before it.
    this.#reportRest()
    try {
      this.#obey(parseControl(text))
    } catch (error) {
      this.#send({ type: 'error', message: (error as Error).message })
    }
  }

  #obey(control: Control): void {
    switch (control.type) {
      case 'ping':
        this.#send({ type: 'pong', id: control.id, now: Date.now() })
        return
      case 'follow':
        this.#follow(control.channel)
        break
      case 'delay':
        for (const lane of this.#watched) lane.delay = control.ms
        break
      case 'cut':
        this.#mine(control.lane).cut()
        break
      case 'restore':
        this.#mine(control.lane).restore()
        break
      case 'rate':
        this.#flow.set(control.rate, control.size)
        break
      case 'crowd': {
        const all = [...this.#state.watches].reduce((sum, { crowd }) => sum + crowd, 0)
        if (all - this.#crowd.of(control.transport) + control.count > CROWD) {
          throw new Error(`at most ${CROWD} are possible for all pages together`)
        }
        this.#crowd.set(control.transport, control.count)
        break
      }
      case 'restart':
        this.#state.restart()
    }
    this.#send({ ...control, type: 'done', what: control.type })
  }

  #mine(id: string): Lane {
    const lane = this.#watched.find((each) => each.id === id)
    if (lane === undefined) throw new Error('this page has no such lane')
    return lane
  }

  /** Closes the connection, because the app closes. */
  close(): void {
    this.#flow.close()
    this.#crowd.close()
    this.#socket.close(1001)
  }

  /** Ends without waiting for the page's close frame. */
  terminate(): void {
    this.#socket.terminate()
  }

  #release(): void {
    clearImmediate(this.#soon)
    clearTimeout(this.#later)
    this.#following?.life.abort()
    this.#flow.close()
    this.#crowd.close()
    this.#state.watches.delete(this)
    for (const lane of this.#watched) this.#lanes.unwatch(lane, this)
  }
}
