import { type Failure, isDenied } from './answer.ts'
import type { Host } from './host.ts'
import type { FeedSettings } from './kinds.ts'
import type { Hearer, Link } from './link.ts'
import { Ranking } from './ranking.ts'
import { jitter, later, type Timer } from './time.ts'
import type { End, GapReason, Message, Transport } from './types.ts'

/** Links that may begin anew in a row, because the feed has left the place where they began. */
const RENEWALS = 3

/** Milliseconds until the plainest transport is asked beside the first: what carries by then spares the server a request. */
const SIDE = 400

/** Finds the transport that carries, and goes back to better ones. One link carries; others may be on probation. */
export abstract class Rounds implements Hearer {
  /** The one that carries. */
  main: Link | undefined
  transport: Transport
  /** Doubled by each silence, until there is progress. */
  patience = 1
  readonly #settings: FeedSettings
  protected readonly host: Host
  readonly #ranking: Ranking
  readonly #probation = new Set<Link>()
  /** What comes next in this round, and its timer. */
  #waiting: (() => void) | undefined
  #timer: Timer
  #sideTimer: Timer
  #climbTimer: Timer
  /** The server has asked not to be bothered before, whatever the network does. */
  #notBefore = 0
  protected attempt = 0
  #denials = 0
  /** Changes when what is tried does. */
  #round = 0
  /** Links that had to begin anew, in a row. */
  renewals = 0
  /** Climbs in a row that came to nothing. */
  #climbs = 0
  #switched: ((carries: boolean) => void) | undefined

  constructor(settings: FeedSettings, host: Host) {
    this.#settings = settings
    this.host = host
    this.#ranking = new Ranking(settings)
    this.transport = this.#ranking.first
  }

  abstract ready(link: Link, cursor?: string): void
  abstract settled(link: Link): void
  abstract message(link: Link, message: Message, joining?: boolean): void
  abstract place(link: Link, cursor: string): void
  abstract gap(link: Link, reason: GapReason, cursor: string, channel?: string): number
  abstract ended(link: Link, end: End, joining?: boolean): void
  abstract skipped(link: Link, error: Error): void

  // Rounds

  /** Begins, where nothing has. */
  start(): void {
    if (!this.main && !this.#probation.size && !this.#waiting) this.begin()
  }

  /** Tries all of them, beginning with one; each a while after the one before, where that does not carry yet. */
  begin(first = this.#ranking.first): void {
    this.#pause()
    this.#ranking.first = first
    this.#ranking.tried.clear()
    this.#try(first)
    if (!this.#ranking.order.includes('poll')) return
    // The plainest one is asked beside them, since it passes everywhere.
    this.#sideTimer = later(() => {
      if (!this.#ranking.tried.has('poll') && Date.now() >= this.#notBefore) this.#make('poll')
    }, SIDE)
  }

  #make(transport: Transport): void {
    const Kind = this.#settings.kinds[transport]!
    const { channels, place } = this.host
    const link = new Kind(this.#settings, transport, channels, place, this)
    this.#ranking.tried.add(transport)
    this.#probation.add(link)
    void link.start()
  }

  #try(transport: Transport): void {
    this.#then(() => this.#step(), Math.min(this.#settings.probe, 1000))
    this.#make(transport)
    if (this.main) return
    this.transport = transport
    this.host.tries()
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

  /** The next of this round. */
  #step(): void {
    const next = this.#ranking.rest(this.main?.transport)
    if (next) this.#try(next)
    else if (this.#probation.size) return
    else if (this.main) {
      this.#climbs++
      this.#climbLater()
    } else this.again(jitter(this.#settings, this.attempt++))
  }

  /** A new round, later. */
  again(ms: number, first = this.#ranking.first): void {
    this.#then(() => this.begin(first), ms)
    this.host.tries(ms)
  }

  #climbLater(): void {
    clearTimeout(this.#climbTimer)
    if (!this.main || this.main.transport === this.#ranking.order[0]) return
    const ms = this.#settings.upgradeAfter * 2 ** Math.min(this.#climbs, 6) * (0.75 + Math.random() / 2)
    this.#climbTimer = later(() => {
      this.#ranking.tried.clear()
      this.#step()
    }, ms)
  }

  /** There is reason to think that the network is back, or gone: what waits is tried, what stands is tested. */
  wake(): void {
    const { main } = this
    if (main) {
      // What can't be asked is made anew beside the old one, which goes on until the new one carries.
      const old = Date.now() - main.since > this.#settings.probe
      if (!main.check() && old && !this.#probation.size) this.#make(main.transport)
    } else if (this.#waiting) {
      clearTimeout(this.#timer)
      this.#timer = later(this.#waiting, Math.max(0, this.#notBefore - Date.now()))
    }
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

  // Ends and beginnings

  /** It has begun at a place that the feed has left. */
  protected renew(link: Link): void {
    if (this.renewals++ < RENEWALS) {
      this.#drop(link)
      this.#make(link.transport)
    } else this.reject(link, 'it tells another story than what carries')
  }

  /** It can't take over. */
  protected reject(link: Link, message: string): void {
    this.#drop(link)
    this.down(link, { message })
  }

  protected adopt(link: Link): void {
    const { main } = this
    if (main === link || link.closed) return
    const { transport } = link
    this.#probation.delete(link)
    this.main = link
    this.transport = transport
    main?.close()
    for (const other of this.#probation)
      if (!this.#ranking.better(other.transport, transport)) this.#drop(other)
    this.#denials = this.renewals = 0
    this.#ranking.remember(transport)
    if (transport === this.#ranking.order[0]) this.settleSwitch(true)
    // The one that was asked beside the others does not end their round.
    if (transport !== 'poll' || !this.#waiting) {
      this.#ranking.first = transport
      this.#pause()
    }
    if (!this.#probation.size && !this.#waiting) this.#climbLater()
    this.host.opened()
  }

  down(link: Link, failure: Failure): void {
    const { probe, base, getToken } = this.#settings
    const ranking = this.#ranking
    const { transport, since } = link
    const carried = link === this.main
    const quiet = this.main && !carried
    const lived = since && Date.now() - since
    this.#probation.delete(link)
    if (carried) this.main = undefined
    if (transport === this.#ranking.order[0] && !carried) this.settleSwitch(false)
    if (failure.silent && this.patience < 16) this.patience *= 2
    if (since) {
      const good = lived >= 2 * probe && !failure.weak
      ranking.note(transport, good, failure.weak)
      if (good) this.attempt = this.#climbs = 0
      else this.#climbs++
    }
    if (failure.refused) ranking.refused.add(transport)
    const denied = !!getToken && isDenied(failure) && !this.#denials++
    const { status, after } = failure
    const everyone = status && failure.refused && ranking.hopeless
    const final = (failure.final || !!everyone) && !denied
    const error = Object.assign(new Error(failure.message), { ...failure, final })
    const round = this.#round
    if (!quiet || final) {
      if (!this.main) this.host.tries(undefined, true)
      this.host.fault(error, transport)
    }
    // A handler may have closed the feed, or switched.
    if (this.#round !== round) return
    if (denied && !this.main) this.again(0)
    else if (final) this.host.finish(failure, error)
    else if (after !== undefined) this.#obey(after, carried ? transport : undefined)
    else if (!carried) this.#step()
    // One on probation stands in.
    else if (!this.#probation.size) {
      const next = ranking.order.find((each) => !ranking.struck(each))
      if (ranking.struck(transport) && next) this.begin(next)
      else {
        const wait = jitter(this.#settings, this.attempt++)
        // What lives for a short time only, and brings nothing, is not away for longer than it lives.
        this.again(Math.min(wait, Math.max(base, lived)), transport)
      }
    }
  }

  /** Nothing is tried before the server's wait is over. @param carried what carried until now */
  #obey(after: number, carried: Transport | undefined): void {
    const wait = after + jitter(this.#settings, this.attempt++)
    // A long wait was meant for the network of that time.
    this.#notBefore = Date.now() + Math.min(wait, this.#settings.probe)
    if (!this.main && !this.#probation.size && (carried || !this.#ranking.rest(undefined)))
      this.again(wait, carried)
    else {
      this.#then(() => this.#step(), wait)
      if (!this.main) this.host.tries(wait)
    }
  }

  /** Likes a transport best from now on, and goes over to it. @param now not while the feed is held */
  switchTo(transport: Transport, now: boolean): Promise<boolean> {
    this.settleSwitch(false)
    this.#ranking.like(transport)
    return new Promise((resolve) => {
      this.#switched = resolve
      const { main } = this
      if (!main) {
        this.#ranking.first = transport
        if (now) {
          this.stop()
          this.begin()
        }
        return
      }
      this.#pause()
      for (const link of this.#probation) this.#drop(link)
      this.#ranking.tried.clear()
      if (main.transport === transport) this.settleSwitch(true)
      else this.#try(transport)
    })
  }

  settleSwitch(carries: boolean): void {
    this.#switched?.(carries)
    this.#switched = undefined
  }
}
