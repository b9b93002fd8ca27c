import { setTimeout as sleep } from 'node:timers/promises'
import type { Cursor } from '../cursor.ts'
import type { Log, Placed } from '../log.ts'
import { arrival } from './arrival.ts'
import { Backoff, type Calls } from './calls.ts'
import type { Engine, History, State, Stored, Turn } from './engine.ts'

/** Maximum wakes per second, and the size of a burst. */
const WAKES = { rate: 450, most: 20 }

/** Milliseconds within which entries that the engine has announced must arrive. */
const STUCK = 1_000

/** Copies an engine's log into the log of this process. */
export class Follower {
  readonly #engine: Engine
  readonly #log: Log
  readonly #calls: Calls
  readonly #moved: () => void
  readonly #reconnected: () => void
  readonly #backoff = new Backoff()
  /** The seq up to which the engine's log was read. */
  #place: Cursor = { epoch: '', seq: 0 }
  /** Whether entries were read that do not continue the log. */
  #astray = false
  #connected = false
  /** The furthest place that the engine has announced. */
  #announced: Cursor = { epoch: '', seq: 0 }
  #read: AbortController | undefined
  #stuck: NodeJS.Timeout | undefined
  /** Offset of the engine's clock from performance.now(). */
  #offset = 0
  /** When the log was last complete. */
  #caughtUp = -Infinity
  #wakes = WAKES.most
  #wokenAt = 0

  /**
   * @param moved called after the log has changed
   * @param reconnected called when the engine is available again
   */
  constructor(engine: Engine, log: Log, calls: Calls, moved: () => void, reconnected: () => void) {
    this.#engine = engine
    this.#log = log
    this.#calls = calls
    this.#moved = moved
    this.#reconnected = reconnected
  }

  get connected(): boolean {
    return this.#connected
  }

  /** Number of announced messages that have not arrived. */
  get lag(): number {
    const { seq } = this.#announced
    return arrival(this.#log, this.#announced) === 'not yet' ? Math.max(0, seq - this.#log.head) : 0
  }

  /** Loads the engine's log. */
  async load(): Promise<void> {
    const log = this.#log
    const { seq } = await this.#find(true)
    while (log.head < seq) {
      const { head } = log
      await this.#step()
      // Another instance may have cut all that was left of the tail meanwhile: then nothing more comes.
      if (!this.#astray && log.head > head) continue
      await this.#backoff.wait()
      await this.#find()
    }
    // Messages that other instances had trimmed after the start of the tail.
    const { epoch, floors, forgotten } = await this.#ask(log.epoch)
    if (epoch === log.epoch) log.lose({ seq: log.head, floors, forgotten })
    this.#connected = true
  }

  /** Follows the engine until the calls are closed. */
  async run(): Promise<void> {
    while (!this.#calls.closed) {
      try {
        if (this.#astray) await this.#find()
        const pace = await this.#step()
        if (!this.#connected) {
          this.#connected = true
          this.#reconnected()
        }
        if (this.#astray) await this.#backoff.wait()
        else this.#backoff.reset()
        if (pace) await this.#pace()
      } catch {
        this.#connected = false
        if (!this.#calls.closed) await this.#backoff.wait()
      }
    }
    this.#connected = false
  }

  /** Under load, waits to batch messages: a wake costs the engine as much as a dozen messages. */
  async #pace(): Promise<void> {
    const now = performance.now()
    this.#wakes = Math.min(WAKES.most, this.#wakes + ((now - this.#wokenAt) * WAKES.rate) / 1000) - 1
    this.#wokenAt = now
    if (this.#wakes < 0) await sleep(1000 / WAKES.rate)
  }

  /** @returns whether entries arrived and no more are available */
  async #step(): Promise<boolean> {
    const log = this.#log
    // Messages that this process has published may be in the log already.
    if (this.#place.epoch === log.epoch) this.#place = { epoch: log.epoch, seq: log.head }
    const before = performance.now()
    this.#read = new AbortController()
    const reached = () => ({ epoch: log.epoch, seq: log.head })
    const {
      items,
      omitted = 0,
      more,
    } = await this.#calls.make((signal) => this.#engine.read(this.#place, signal, reached), {
      controller: this.#read,
    })
    const now = performance.now()
    for (const item of items) {
      if (!('turn' in item ? this.#turn(item) : this.#take(item, now))) {
        this.#astray = true
        break
      }
      this.#place = { epoch: item.epoch, seq: item.seq }
    }
    if (!more) this.#caughtUp = before
    if (items.length > 0) this.#moved()
    return items.length + omitted > 0 && !more
  }

  /** @returns whether the entry continues the log */
  #take(stored: Stored, now: number): boolean {
    const log = this.#log
    const { epoch, seq } = stored
    const end = log.commonEnd(epoch)
    if (end === undefined) return false
    if (seq <= log.head) return true
    if (seq !== log.head + 1 || (epoch !== log.epoch && seq > end)) return false
    log.take(this.#placed(stored, now))
    return true
  }

  #placed({ epoch, seq, channel, time, payload }: Stored, now = performance.now()): Placed {
    // A message is no older than the last time at which the log was complete, even if a clock was set meanwhile.
    const at = Math.max(Math.min(time - this.#offset, now), this.#caughtUp)
    return { epoch, seq, channel, time, at, payload }
  }

  #turn({ epoch, seq, parent }: Turn): boolean {
    const log = this.#log
    if (log.commonEnd(epoch) !== undefined) return true
    if (parent === undefined) {
      log.turn(undefined, epoch)
      return seq === 0
    }
    if (parent !== log.epoch || seq > log.head || !log.canTurn(seq)) return false
    log.turn(seq, epoch)
    return true
  }

  /** @param known an epoch that the engine has, unless its history has forked */
  async #ask(known: string | undefined): Promise<History> {
    const history = await this.#calls.make((signal) => this.#engine.history(known, signal))
    this.#heardClock(history)
    return { ...history, ancestors: withLeastEnds(history.ancestors) }
  }

  /**
   * Finds the common history of log and engine, and continues from there.
   * @param first whether the log is still empty
   */
  async #find(first = false): Promise<History> {
    const log = this.#log
    let history = await this.#ask(first ? undefined : log.epoch)
    for (;;) {
      const { epoch, start } = history
      const common = first ? undefined : commonWith(log, history)
      // Effects of lost marks are undone: the affected part is read again from the engine.
      const reached = common === undefined ? 0 : Math.min(common, log.head)
      // So is a reopening that left the tail unseen.
      const whole = common === undefined || !log.canTurn(common) || (reached < start && log.hasEnds)
      const after = whole ? 0 : reached
      const kept = after < start ? await this.#kept(after) : []
      const tail = whole && common !== undefined ? await this.#tail(start, common) : []
      const hasRead = after < start || tail.length > 0
      // Messages may have left the tail unseen meanwhile, and trimmed ones need their floors.
      const again = hasRead ? await this.#ask(epoch) : history
      const isSame = again.epoch === epoch && again.start === start
      history = again
      if (!isSame) continue
      const { ancestors, floors, forgotten } = history
      const placed = [...kept, ...tail].map((each) => this.#placed(each))
      const lost = hasRead ? { seq: start, floors, forgotten } : undefined
      if (whole || hasRead || epoch !== log.epoch) {
        log.adopt({ epoch, common, ancestors, whole, placed, lost })
      }
      break
    }
    const { epoch, ancestors } = history
    const { head } = log
    this.#place = { epoch: ancestors.find((past) => past.seq >= head)?.epoch ?? epoch, seq: head }
    // The log is in the engine's epoch now. Its missing entries are still to be read.
    this.#astray = false
    this.#moved()
    return history
  }

  /** Reads all kept messages before the tail, after a seq. */
  async #kept(after: number): Promise<Stored[]> {
    const all: Stored[] = []
    for (let seq = after; ; ) {
      const some = await this.#calls.make((signal) => this.#engine.kept(seq, signal))
      if (some.length === 0) return all
      for (const each of some) all.push(each)
      seq = all.at(-1)!.seq
    }
  }

  /** Reads the tail up to a seq. */
  async #tail(start: number, end: number): Promise<Stored[]> {
    const all: Stored[] = []
    for (let place: Cursor = { epoch: '', seq: start }; place.seq < end; ) {
      const { items } = await this.#calls.make((signal) => this.#engine.read(place, signal))
      if (items.length === 0) break
      for (const item of items) if (!('turn' in item) && item.seq > start && item.seq <= end) all.push(item)
      const { epoch, seq } = items.at(-1)!
      place = { epoch, seq }
    }
    return all
  }

  #heardClock({ now }: State): void {
    this.#offset = now - performance.now()
  }

  /** The engine has told its head, which this log must reach. */
  heard(state: State): void {
    this.#heardClock(state)
    this.expect(state)
  }

  /** The engine's log has reached a place. If this log does not follow in time, it may read from another server. */
  expect(place: Cursor): void {
    const { epoch, seq } = this.#announced
    if (place.epoch !== epoch || place.seq > seq) this.#announced = place
    this.#await(place)
  }

  #await(place: Cursor): void {
    if (this.#stuck !== undefined || arrival(this.#log, place) !== 'not yet') return
    const { head } = this.#log
    this.#stuck = setTimeout(() => {
      this.#stuck = undefined
      if (arrival(this.#log, place) !== 'not yet') return
      // The engine's log has begun anew: what it had announced before never comes.
      if (place.epoch !== this.#announced.epoch) this.#await(this.#announced)
      else if (this.#log.head !== head) this.#await(place)
      else this.#renew()
    }, STUCK).unref()
  }

  #renew(): void {
    this.#astray = true
    this.#read?.abort(new Error('the engine did not deliver its entries'))
  }

  close(): void {
    clearTimeout(this.#stuck)
  }
}

/** An epoch that shares a part with the present one shares it with all epochs in between. */
function withLeastEnds(ancestors: readonly Cursor[]): readonly Cursor[] {
  let least = Number.POSITIVE_INFINITY
  return ancestors
    .toReversed()
    .map(({ epoch, seq }) => {
      least = Math.min(least, seq)
      return { epoch, seq: least }
    })
    .reverse()
}

/** The seq up to which a log shares the engine's history; undefined if it shares nothing. */
function commonWith(log: Log, { epoch, seq, ancestors }: History): number | undefined {
  const theirs = new Map([...ancestors, { epoch, seq }].map((each) => [each.epoch, each.seq]))
  let common: number | undefined
  for (const own of log.epochs()) {
    const end = theirs.get(own.epoch)
    if (end !== undefined) common = Math.max(common ?? 0, Math.min(end, own.seq))
  }
  return common
}
