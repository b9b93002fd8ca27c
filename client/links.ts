import { type Failure, isDenied } from './answer.ts'
import type { Host } from './host.ts'
import type { Hearer, Link } from './link.ts'
import { isCursor, order } from './place.ts'
import { PollLink } from './poll.ts'
import type { Settings } from './settings.ts'
import { SocketLink } from './socket.ts'
import { SourceLink } from './source.ts'
import { SseLink } from './sse.ts'
import { jitter, later, type Timer } from './time.ts'
import type { GapReason, Message, Transport } from './types.ts'

const LINKS = { ws: SocketLink, sse: SseLink, longpoll: PollLink, poll: PollLink }

/** Short lives of a transport in a row, after which others come first. */
const STRIKES = 3

/** Links that may begin anew in a row, because the feed has left the place where they began. */
const RENEWALS = 3

/** Milliseconds after its `ready` when a stream has told a hole if there is one; and a socket, without an answer to its ping. */
const SETTLED = 50
const DEAF = 1000

/** Milliseconds until the plainest transport is asked beside those that do not carry yet. */
const SIDE = 700

/** What worked, by address and list, for where nothing is stored; of so many addresses. */
const worked = new Map<string, string>()
const MOST_WORKED = 100

/**
 * Finds the transport that carries, and goes back to better ones. One link carries; others may be on probation: what
 * they tell counts once it is clear that nothing is missing between the feed's place and theirs.
 */
export class Links implements Hearer {
  /** The one that carries. */
  main: Link | undefined
  transport: Transport
  /** Doubled by each silence, until there is progress. */
  patience = 1
  readonly #settings: Settings
  readonly #host: Host
  readonly #key: string
  /** As they are liked: what the user has switched to comes first. */
  #order: Transport[]
  /** Where a round of tries begins: at what worked. */
  #first: Transport
  readonly #probation = new Set<Link>()
  /** Those that this round has tried. */
  readonly #tried = new Set<Transport>()
  /** Those that were refused, in a row. */
  readonly #refused = new Set<Transport>()
  readonly #strikes: Partial<Record<Transport, number>> = {}
  /** What comes next in this round, and its timer. */
  #waiting: (() => void) | undefined
  #timer: Timer
  #sideTimer: Timer
  #climbTimer: Timer
  /** The server has asked not to be bothered before. */
  #notBefore = 0
  #attempt = 0
  #denials = 0
  /** Changes when what is tried does. */
  #round = 0
  /** Links that had to begin anew, in a row. */
  #renewals = 0
  /** Climbs in a row that came to nothing. */
  #climbs = 0
  #switched: ((carries: boolean) => void) | undefined

  constructor(settings: Settings, host: Host) {
    const { url, transports, storage } = settings
    const { origin, pathname } = new URL(url)
    this.#settings = settings
    this.#host = host
    this.#key = `tidings ${origin}${pathname} ${transports}`
    this.#order = [...transports]
    const known = (storage?.getItem(this.#key) ?? worked.get(this.#key)) as Transport
    this.#first = this.transport = transports.includes(known) ? known : transports[0]!
  }

  // Rounds

  /** Begins, where nothing has. */
  start(): void {
    if (!this.main && !this.#probation.size && !this.#waiting) this.begin()
  }

  /** Tries all of them, beginning with one; each a while after the one before, where that does not carry yet. */
  begin(first = this.#first): void {
    this.#pause()
    this.#first = first
    this.#tried.clear()
    this.#try(first)
    const side = first !== 'poll' && this.#order.includes('poll')
    // The plainest one is asked beside them, since it passes everywhere.
    if (side) this.#sideTimer = later(() => this.#tried.has('poll') || this.#make('poll'), SIDE)
  }

  #make(transport: Transport): void {
    const Kind = transport === 'sse' && this.#settings.EventSource ? SourceLink : LINKS[transport]
    const { channels, place } = this.#host
    const link = new Kind(this.#settings, transport, channels, place, this)
    this.#tried.add(transport)
    this.#probation.add(link)
    void link.start()
  }

  #try(transport: Transport): void {
    this.#then(() => this.#step(), Math.min(this.#settings.probe, 1000))
    this.#make(transport)
    if (this.main) return
    this.transport = transport
    this.#host.tries()
  }

  #then(next: () => void, ms: number): void {
    clearTimeout(this.#timer)
    this.#waiting = () => {
      clearTimeout(this.#timer)
      this.#waiting = undefined
      next()
    }
    this.#timer = later(this.#waiting, ms)
  }

  /** The best that this round has not tried, of those that are better than what carries. */
  #rest(): Transport | undefined {
    const from = this.main ? 0 : this.#rank(this.#first)
    const rest = [...this.#order.slice(from), ...this.#order.slice(0, from)].filter(
      (transport) => !this.#tried.has(transport) && this.#better(transport),
    )
    return rest.find((transport) => !this.#struck(transport)) ?? rest[0]
  }

  #rank(transport: Transport): number {
    return this.#order.indexOf(transport)
  }

  #better(transport: Transport): boolean {
    return !this.main || this.#rank(transport) < this.#rank(this.main.transport)
  }

  #struck(transport: Transport): boolean {
    return this.#strikes[transport]! >= STRIKES
  }

  /** The next of this round. */
  #step(): void {
    const next = this.#rest()
    if (next) this.#try(next)
    else if (this.#probation.size) return
    else if (this.main) {
      this.#climbs++
      this.#climbLater()
    } else this.again(jitter(this.#settings, this.#attempt++))
  }

  /** A new round, later. */
  again(ms: number, first = this.#first): void {
    this.#then(() => this.begin(first), ms)
    this.#host.tries(ms)
  }

  #climbLater(): void {
    clearTimeout(this.#climbTimer)
    if (!this.main || !this.#rank(this.main.transport)) return
    const ms = this.#settings.upgradeAfter * 2 ** Math.min(this.#climbs, 6) * (0.75 + Math.random() / 2)
    this.#climbTimer = later(() => {
      this.#tried.clear()
      this.#step()
    }, ms)
  }

  /** There is reason to think that the network is back, or gone: what waits is tried, what stands is tested. */
  wake(): void {
    const { main } = this
    if (main) {
      // What can't be asked is made anew beside the old one, which goes on until the new one carries.
      if (!main.check() && !this.#probation.size) this.#make(main.transport)
    } else if (Date.now() >= this.#notBefore) this.#waiting?.()
  }

  stop(): void {
    this.#pause()
    for (const link of this.#probation) this.#drop(link)
    this.main?.close()
    this.main = undefined
  }

  #pause(): void {
    this.#round++
    clearTimeout(this.#timer)
    clearTimeout(this.#sideTimer)
    clearTimeout(this.#climbTimer)
    this.#waiting = undefined
  }

  #drop(link: Link): void {
    this.#probation.delete(link)
    link.close()
  }

  // What links tell

  /** @returns whether what it tells next is what comes next for the feed */
  #covers({ at }: Link): boolean {
    const { place } = this.#host
    return at === place || !isCursor(place) || order(at, place) <= 0
  }

  /** It goes on at a place. @returns whether that is news for the feed */
  #moves(link: Link, cursor: string): boolean {
    const { place } = this.#host
    const was = link.at
    const ahead = order(cursor, place)
    if (link !== this.main) {
      if (ahead <= 0) {
        link.at = cursor
        return false
      }
      // In another epoch, only what was told from this very place on is sure to be news.
      if (Number.isNaN(ahead) ? was !== place && isCursor(place) : !this.#covers(link)) {
        this.#renew(link)
        return false
      }
      this.#adopt(link)
    }
    if (ahead <= 0 || link.closed) return false
    link.at = cursor
    this.patience = 1
    this.#attempt = 0
    return true
  }

  /** It has begun at a place that the feed has left. */
  #renew(link: Link): void {
    this.#drop(link)
    if (this.#renewals++ < RENEWALS) this.#make(link.transport)
    else this.down(link, { message: 'it tells another story than what carries' })
  }

  ready(link: Link, cursor?: string): void {
    // A hole is told before it is open; what shows only that it listens may be deaf.
    later(() => this.settled(link), link.transport === 'ws' ? DEAF : SETTLED)
    if (!cursor || cursor === link.at) return
    if (isCursor(link.at)) {
      this.place(link, cursor)
      return
    }
    link.at = cursor
    if (!this.#covers(link)) this.#renew(link)
    else if (!isCursor(this.#host.place)) this.#host.place = cursor
  }

  settled(link: Link): void {
    if (this.#covers(link)) this.#adopt(link)
  }

  message(link: Link, message: Message, joining?: boolean): void {
    if (joining || this.#moves(link, message.cursor)) this.#host.message(message, joining)
  }

  place(link: Link, cursor: string): void {
    if (this.#moves(link, cursor)) this.#host.place = cursor
  }

  ended(link: Link, channel: string, cursor: string): void {
    this.place(link, cursor)
    if (!link.closed) this.#host.ended(channel)
  }

  gap(link: Link, reason: GapReason, cursor: string, channel?: string): number {
    const host = this.#host
    if (channel) return host.gap(reason, cursor, channel)
    if (reason === 'trimmed' && order(cursor, host.place) <= 0) {
      // It is not the feed's: it began elsewhere.
      link.at = link === this.main ? host.place : cursor
    } else if (link !== this.main && (this.main || !this.#covers(link))) {
      this.#renew(link)
    } else {
      const pause = host.gap(reason, cursor)
      link.at = cursor
      this.#adopt(link)
      return pause
    }
    return 0
  }

  skipped(link: Link, error: Error): void {
    this.#host.fault(error, link.transport)
  }

  #adopt(link: Link): void {
    const { main } = this
    if (main === link || link.closed) return
    const { transport } = link
    this.#probation.delete(link)
    this.main = link
    this.transport = transport
    main?.close()
    for (const other of this.#probation) if (!this.#better(other.transport)) this.#drop(other)
    this.#refused.clear()
    this.#denials = this.#renewals = 0
    this.#remember(transport)
    if (!this.#rank(transport)) this.settleSwitch(true)
    // The one that was asked beside the others does not end their round.
    if (transport !== 'poll' || !this.#waiting) {
      this.#first = transport
      this.#pause()
    }
    if (!this.#probation.size && !this.#waiting) this.#climbLater()
    this.#host.opened()
  }

  down(link: Link, failure: Failure): void {
    const { probe, base, getToken } = this.#settings
    const { transport, since } = link
    const carried = link === this.main
    const quiet = this.main && !carried
    const lived = since && Date.now() - since
    this.#probation.delete(link)
    if (carried) this.main = undefined
    if (transport === this.#order[0] && !carried) this.settleSwitch(false)
    if (failure.silent && this.patience < 16) this.patience *= 2
    if (since) {
      const good = lived >= 2 * probe && !failure.weak
      this.#strikes[transport] = good ? 0 : (this.#strikes[transport] ?? 0) + (failure.weak ? STRIKES : 1)
      if (good) this.#attempt = this.#climbs = 0
      else this.#climbs++
    }
    if (failure.refused) this.#refused.add(transport)
    const denied = !!getToken && isDenied(failure) && !this.#denials++
    const { status, after } = failure
    const everyone = status && failure.refused && this.#order.every((each) => this.#refused.has(each))
    const final = (failure.final || !!everyone) && !denied
    const error = Object.assign(new Error(failure.message), { ...failure, final })
    const round = this.#round
    if (!quiet || final) {
      if (!this.main) this.#host.tries(undefined, true)
      this.#host.fault(error, transport)
    }
    // A handler may have closed the feed, or switched.
    if (this.#round !== round) return
    if (denied) this.again(0)
    else if (final) this.#host.finish(failure, error)
    else if (after !== undefined) this.#obey(after, carried ? transport : undefined)
    else if (!carried) this.#step()
    // One on probation stands in.
    else if (!this.#probation.size) {
      const next = this.#order.find((each) => !this.#struck(each))
      if (this.#struck(transport) && next) this.begin(next)
      else {
        const wait = jitter(this.#settings, this.#attempt++)
        // What lives for a short time only, and brings nothing, is not away for longer than it lives.
        this.again(Math.min(wait, Math.max(base, lived)), transport)
      }
    }
  }

  /** Nothing is tried before the server's wait is over. @param carried what carried until now */
  #obey(after: number, carried: Transport | undefined): void {
    const wait = after + jitter(this.#settings, this.#attempt++)
    this.#notBefore = Date.now() + wait
    if (!this.main && !this.#probation.size && (carried || !this.#rest())) this.again(wait, carried)
    else {
      this.#then(() => this.#step(), wait)
      if (!this.main) this.#host.tries(wait)
    }
  }

  #remember(transport: Transport): void {
    worked.delete(this.#key)
    worked.set(this.#key, transport)
    if (worked.size > MOST_WORKED) worked.delete(worked.keys().next().value!)
    try {
      this.#settings.storage?.setItem(this.#key, transport)
    } catch {
      // A storage may be full; what worked is not worth more.
    }
  }

  /** Likes a transport best from now on, and goes over to it. @param now not while the feed is held */
  switchTo(transport: Transport, now: boolean): Promise<boolean> {
    this.settleSwitch(false)
    this.#order = [transport, ...this.#order.filter((other) => other !== transport)]
    return new Promise((resolve) => {
      this.#switched = resolve
      if (!this.main) {
        this.#first = transport
        if (now) {
          this.stop()
          this.begin()
        }
        return
      }
      this.#pause()
      for (const link of this.#probation) this.#drop(link)
      this.#tried.clear()
      if (this.main.transport === transport) this.settleSwitch(true)
      else this.#try(transport)
    })
  }

  settleSwitch(carries: boolean): void {
    this.#switched?.(carries)
    this.#switched = undefined
  }
}
