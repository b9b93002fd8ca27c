import { setTimeout as sleep } from 'node:timers/promises'
import type { Cursor } from '../cursor.ts'
import type { Log, Placed } from '../log.ts'
import { arrival } from './arrival.ts'
import { Backoff, type Calls } from './calls.ts'
import type { Engine, History, State, Stored, Turn } from './engine.ts'

/** Wakes a second for what has come, and how many of them may come at once. */
const WAKES = { rate: 450, most: 20 }

/** Milliseconds in which what the engine has told of must come, or at least something. */
const STUCK = 1_000

/** Follows an engine's log into this process's own. */
export class Follower {
  readonly #engine: Engine
  readonly #log: Log
  readonly #calls: Calls
  readonly #moved: () => void
  readonly #reconnected: () => void
  readonly #backoff = new Backoff()
  /** All up to here has been read from the engine. */
  #place: Cursor = { epoch: '', seq: 0 }
  /** What was read does not follow what the log has. */
  #astray = false
  #connected = false
  #read: AbortController | undefined
  #stuck: NodeJS.Timeout | undefined
  /** The engine's clock, from that of performance.now(). */
  #offset = 0
  /** When the log had all that there was. */
  #caughtUp = -Infinity
  #wakes = WAKES.most
  #wokenAt = 0

  /**
   * @param moved told when the log has moved
   * @param reconnected told when the engine is there again
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

  /** Takes over all that the engine keeps. */
  async load(): Promise<void> {
    const log = this.#log
    const { seq } = await this.#find(true)
    while (log.head < seq) {
      await this.#step()
      if (!this.#astray) continue
      await this.#backoff.wait()
      await this.#find()
    }
    // What others had let go of behind the place where the tail began.
    const { epoch, floors, forgotten } = await this.#ask()
    if (epoch === log.epoch) log.lose({ seq: log.head, floors, forgotten })
    this.#connected = true
  }

  /** Follows until the calls are closed. */
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

  /** Under load messages wait for each other for a moment: a wake costs the engine as much as a dozen of them. */
  async #pace(): Promise<void> {
    const now = performance.now()
    this.#wakes = Math.min(WAKES.most, this.#wakes + ((now - this.#wokenAt) * WAKES.rate) / 1000) - 1
    this.#wokenAt = now
    if (this.#wakes < 0) await sleep(1000 / WAKES.rate)
  }

  /** @returns whether something has come, and that was all */
  async #step(): Promise<boolean> {
    const log = this.#log
    // What this process has published may be there already.
    if (this.#place.epoch === log.epoch) this.#place = { epoch: log.epoch, seq: log.head }
    const before = performance.now()
    this.#read = new AbortController()
    const { items, more } = await this.#calls.make((signal) => this.#engine.read(this.#place, signal), {
      controller: this.#read,
    })
    for (const item of items) {
      if (!('turn' in item ? this.#turn(item) : this.#take(item))) {
        this.#astray = true
        break
      }
      this.#place = { epoch: item.epoch, seq: item.seq }
    }
    if (!more) this.#caughtUp = before
    if (items.length > 0) this.#moved()
    return items.length > 0 && !more
  }

  /** @returns whether it follows what the log has */
  #take(stored: Stored): boolean {
    const log = this.#log
    const { epoch, seq } = stored
    const end = log.commonEnd(epoch)
    if (end === undefined) return false
    if (seq <= log.head) return true
    if (seq !== log.head + 1 || (epoch !== log.epoch && seq > end)) return false
    log.take(this.#placed(stored))
    return true
  }

  #placed({ epoch, seq, channel, time, payload }: Stored): Placed {
    // What has come since the log had it all is no older than that, whatever a clock says that was set meanwhile.
    const at = Math.max(Math.min(time - this.#offset, performance.now()), this.#caughtUp)
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

  async #ask(first = false): Promise<History> {
    const known = first ? undefined : this.#log.epoch
    const history = await this.#calls.make((signal) => this.#engine.history(known, signal))
    this.#heardClock(history)
    return history
  }

  /**
   * Finds out what the log and the engine have in common, and goes on from there.
   * @param first whether the log is still empty
   */
  async #find(first = false): Promise<History> {
    const log = this.#log
    let history = await this.#ask(first)
    for (;;) {
      const { epoch, start } = history
      const common = first ? undefined : commonWith(log, history)
      // What the log has let go of in what was lost is read again, as the engine has it.
      const whole = common === undefined || !log.canTurn(common)
      const after = whole ? 0 : Math.min(common, log.head)
      const kept = after < start ? await this.#kept(after) : []
      const tail = whole && common !== undefined ? await this.#tail(start, common) : []
      const hasRead = after < start || tail.length > 0
      // What has left the tail meanwhile was not seen; and what went meanwhile must have its floor.
      const again = hasRead ? await this.#ask(first) : history
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
    // Here the log's epoch is the engine's, and what is missing of it is still to be read.
    this.#astray = false
    this.#moved()
    return history
  }

  /** All that is kept after a seq, of before the tail. */
  async #kept(after: number): Promise<Stored[]> {
    const all: Stored[] = []
    for (let seq = after; ; ) {
      const some = await this.#calls.make((signal) => this.#engine.kept(seq, signal))
      if (some.length === 0) return all
      for (const each of some) all.push(each)
      seq = all.at(-1)!.seq
    }
  }

  /** What stands in the tail up to a seq. */
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

  /** The engine has told where its log stands: this one must come there. */
  heard(state: State): void {
    this.#heardClock(state)
    this.expect(state)
  }

  /** The engine's log has come to a place. Where this one does not follow, it may be connected to another engine. */
  expect(place: Cursor): void {
    if (this.#stuck !== undefined || arrival(this.#log, place) !== 'not yet') return
    const { head } = this.#log
    this.#stuck = setTimeout(() => {
      this.#stuck = undefined
      if (arrival(this.#log, place) !== 'not yet') return
      if (this.#log.head !== head) this.expect(place)
      else this.#renew()
    }, STUCK).unref()
  }

  #renew(): void {
    this.#astray = true
    this.#read?.abort(new Error('what the engine has did not come'))
  }

  close(): void {
    clearTimeout(this.#stuck)
  }
}

/** Up to where a log has all that an engine's history has; undefined where that is nothing. */
function commonWith(log: Log, { epoch, seq, ancestors }: History): number | undefined {
  const theirs = new Map([[epoch, seq]])
  // What one has in common with the present it has with all between.
  let least = seq
  for (const past of [...ancestors].reverse()) {
    least = Math.min(least, past.seq)
    theirs.set(past.epoch, least)
  }
  let common: number | undefined
  for (const own of log.epochs()) {
    const end = theirs.get(own.epoch)
    if (end !== undefined) common = Math.max(common ?? 0, Math.min(end, own.seq))
  }
  return common
}
