import { type Failure, isDenied } from './answer.ts'
import type { Host } from './host.ts'
import type { Link, LinkListener } from './link.ts'
import type { FeedSettings } from './link-class.ts'
import { jitter, later, type Timer } from './time.ts'
import { TransportRanking } from './transport-ranking.ts'
import type { End, GapReason, Message, Transport } from './types.ts'

/** Consecutive restarts of links that started at an outdated position. */
const MAX_RESTARTS = 3

/** Milliseconds before `/poll` is probed beside the first transport. A transport that connects sooner saves the request. */
const POLL_DELAY = 400

/** Selects the transport, falls back, and upgrades. One link is in use; others are probes. */
export abstract class TransportSelector implements LinkListener {
  /** The link in use. */
  main: Link | undefined
  transport: Transport
  /** Doubled by each timeout up to 16; 1 after progress. */
  slack = 1
  readonly #settings: FeedSettings
  protected readonly host: Host
  readonly #ranking: TransportRanking
  readonly #probes = new Set<Link>()
  /** The next scheduled attempt, and its timer. */
  #waiting: (() => void) | undefined
  #timer: Timer
  #pollTimer: Timer
  #upgradeTimer: Timer
  /** Earliest retry (Retry-After), in milliseconds since 1970. */
  #notBefore = 0
  protected attempt = 0
  #denials = 0
  /** Changes with each new round of attempts. */
  #generation = 0
  /** Consecutive restarts of probes. */
  restarts = 0
  /** Consecutive failed upgrade attempts. */
  #failedUpgrades = 0
  #switched: ((carries: boolean) => void) | undefined

  constructor(settings: FeedSettings, host: Host) {
    this.#settings = settings
    this.host = host
    this.#ranking = new TransportRanking(settings)
    this.transport = this.#ranking.first
  }

  abstract ready(link: Link, cursor?: string): void
  abstract caughtUp(link: Link): void
  abstract message(link: Link, message: Message, joining?: boolean): void
  abstract place(link: Link, cursor: string): void
  abstract gap(link: Link, reason: GapReason, cursor: string, channel?: string): number
  abstract ended(link: Link, end: End, joining?: boolean): void
  abstract skipped(link: Link, error: Error): void

  // Attempts

  /** Starts the first round, unless one has started. */
  start(): void {
    if (!this.main && !this.#probes.size && !this.#waiting) this.begin()
  }

  /** Tries all transports in order, each after a delay, until one connects. */
  begin(first = this.#ranking.first): void {
    this.#pause()
    this.#ranking.first = first
    this.#ranking.tried.clear()
    this.#try(first)
    if (!this.#ranking.order.includes('poll')) return
    // Polls pass every proxy.
    this.#pollTimer = later(() => {
      if (!this.#ranking.tried.has('poll') && Date.now() >= this.#notBefore) this.#probe('poll')
    }, POLL_DELAY)
  }

  #probe(transport: Transport): void {
    const LinkClass = this.#settings.kinds[transport]!
    const { channels, place } = this.host
    const link = new LinkClass(this.#settings, transport, channels, place, this)
    this.#ranking.tried.add(transport)
    this.#probes.add(link)
    void link.start()
  }

  #try(transport: Transport): void {
    this.#schedule(() => this.#tryNext(), Math.min(this.#settings.probe, 1000))
    this.#probe(transport)
    if (this.main) return
    this.transport = transport
    this.host.tries()
  }

  #schedule(next: () => void, ms: number): void {
    clearTimeout(this.#timer)
    this.#waiting = () => {
      clearTimeout(this.#timer)
      this.#waiting = undefined
      next()
    }
    this.#timer = later(this.#waiting, ms)
  }

  /** Tries the next transport of this round. */
  #tryNext(): void {
    const next = this.#ranking.next(this.main?.transport)
    if (next) this.#try(next)
    else if (this.#probes.size) return
    else if (this.main) {
      this.#failedUpgrades++
      this.#scheduleUpgrade()
    } else this.again(jitter(this.#settings, this.attempt++))
  }

  /** Schedules a new round. */
  again(ms: number, first = this.#ranking.first): void {
    this.#schedule(() => this.begin(first), ms)
    this.host.tries(ms)
  }

  #scheduleUpgrade(): void {
    clearTimeout(this.#upgradeTimer)
    if (!this.main || this.main.transport === this.#ranking.order[0]) return
    const ms =
      this.#settings.upgradeAfter * 2 ** Math.min(this.#failedUpgrades, 6) * (0.75 + Math.random() / 2)
    this.#upgradeTimer = later(() => {
      this.#ranking.tried.clear()
      this.#tryNext()
    }, ms)
  }

  /** The network may have changed. Retries at once, or checks the link in use. */
  wake(): void {
    const { main } = this
    if (main) {
      // A transport without a check is replaced by a new link; the old one stays in use until that takes over.
      const old = Date.now() - main.since > this.#settings.probe
      if (!main.check() && old && !this.#probes.size) this.#probe(main.transport)
    } else if (this.#waiting) {
      clearTimeout(this.#timer)
      this.#timer = later(this.#waiting, Math.max(0, this.#notBefore - Date.now()))
    }
  }

  stop(): void {
    this.#pause()
    for (const link of this.#probes) this.#drop(link)
    this.main?.close()
    this.main = undefined
  }

  #pause(): void {
    this.#generation++
    clearTimeout(this.#timer)
    clearTimeout(this.#pollTimer)
    clearTimeout(this.#upgradeTimer)
    this.#waiting = undefined
  }

  #drop(link: Link): void {
    this.#probes.delete(link)
    link.close()
  }

  // Transitions

  /** Replaces a probe that started at a position that the feed has left. */
  protected restart(link: Link): void {
    if (this.restarts++ < MAX_RESTARTS) {
      this.#drop(link)
      this.#probe(link.transport)
    } else this.reject(link, 'its position is outdated')
  }

  /** Drops a probe that cannot take over. */
  protected reject(link: Link, message: string): void {
    this.#drop(link)
    this.failed(link, { message })
  }

  protected adopt(link: Link): void {
    const { main } = this
    if (main === link || link.closed) return
    const { transport } = link
    this.#probes.delete(link)
    this.main = link
    this.transport = transport
    main?.close()
    for (const other of this.#probes) if (!this.#ranking.better(other.transport, transport)) this.#drop(other)
    this.#denials = this.restarts = 0
    this.#ranking.remember(transport)
    if (transport === this.#ranking.order[0]) this.settleSwitch(true)
    // The poll beside the other probes does not end their round.
    if (transport !== 'poll' || !this.#waiting) {
      this.#ranking.first = transport
      this.#pause()
    }
    if (!this.#probes.size && !this.#waiting) this.#scheduleUpgrade()
    this.host.opened()
  }

  failed(link: Link, failure: Failure): void {
    const { probe, base, getToken } = this.#settings
    const ranking = this.#ranking
    const { transport, since } = link
    const wasMain = link === this.main
    const inBackground = this.main && !wasMain
    const lifetime = since && Date.now() - since
    this.#probes.delete(link)
    if (wasMain) this.main = undefined
    if (transport === this.#ranking.order[0] && !wasMain) this.settleSwitch(false)
    if (failure.silent && this.slack < 16) this.slack *= 2
    if (since) {
      const good = lifetime >= 2 * probe && !failure.weak
      ranking.record(transport, good, failure.weak)
      if (good) this.attempt = this.#failedUpgrades = 0
      else this.#failedUpgrades++
    }
    if (failure.refused) ranking.refused.add(transport)
    const denied = !!getToken && isDenied(failure) && !this.#denials++
    const { status, after } = failure
    const refusedAll = status && failure.refused && ranking.refusedAll
    const final = (failure.final || !!refusedAll) && !denied
    const error = Object.assign(new Error(failure.message), { ...failure, final })
    const generation = this.#generation
    if (!inBackground || final) {
      if (!this.main) this.host.tries(undefined, true)
      this.host.fault(error, transport)
    }
    // A handler may have closed the feed or switched the transport.
    if (this.#generation !== generation) return
    if (denied && !this.main) this.again(0)
    else if (final) this.host.finish(failure, error)
    else if (after !== undefined) this.#retryAfter(after, wasMain ? transport : undefined)
    // A browser may have given the replacement of a link a pooled connection that is dead, too.
    else if (failure.silent && transport === this.main?.transport && this.slack < 16) this.#probe(transport)
    else if (!wasMain) this.#tryNext()
    // A probe takes over.
    else if (!this.#probes.size) {
      const next = ranking.order.find((each) => !ranking.flaky(each))
      if (ranking.flaky(transport) && next) this.begin(next)
      else {
        const wait = jitter(this.#settings, this.attempt++)
        // A short-lived connection without progress is not down for longer than it lived.
        this.again(Math.min(wait, Math.max(base, lifetime)), transport)
      }
    }
  }

  /** Waits for Retry-After. @param wasMain the transport that was in use */
  #retryAfter(after: number, wasMain: Transport | undefined): void {
    const wait = after + jitter(this.#settings, this.attempt++)
    // A long Retry-After may not apply to a new network.
    this.#notBefore = Date.now() + Math.min(wait, this.#settings.probe)
    if (!this.main && !this.#probes.size && (wasMain || !this.#ranking.next(undefined)))
      this.again(wait, wasMain)
    else {
      this.#schedule(() => this.#tryNext(), wait)
      if (!this.main) this.host.tries(wait)
    }
  }

  /** Prefers a transport and switches to it. @param now false while the feed is held */
  switchTo(transport: Transport, now: boolean): Promise<boolean> {
    this.settleSwitch(false)
    this.#ranking.prefer(transport)
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
      for (const link of this.#probes) this.#drop(link)
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
