import { setTimeout as sleep } from 'node:timers/promises'
import type { Cursor } from '../cursor.ts'
import type { Log } from '../log.ts'
import { arrival } from './arrival.ts'
import { Backoff, type Calls } from './calls.ts'
import type { Engine, History, State, Stored, Turn } from './engine.ts'

/** Wakes a second for what has come, and how many of them may come at once. */
const WAKES = { rate: 500, most: 50 }

/** Messages in one answer from which on the log is far behind: then nobody waits for more to come together. */
const FAR_BEHIND = 100

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
    const history = await this.#calls.make((signal) => this.#engine.history(undefined, signal))
    this.#heardClock(history)
    log.turn(undefined, history.epoch)
    for (const { epoch, seq } of history.ancestors) log.remember(epoch, seq)
    log.lose({ seq: history.start, floors: history.floors, forgotten: history.forgotten })
    this.#place = { epoch: '', seq: history.start }
    while (log.head < history.seq) {
      await this.#step()
      if (!this.#astray) continue
      await this.#backoff.wait()
      await this.#find()
    }
    this.#connected = true
  }

  /** Follows until the calls are closed. */
  async run(): Promise<void> {
    while (!this.#calls.closed) {
      try {
        if (this.#astray) await this.#find()
        const count = await this.#step()
        if (!this.#connected) {
          this.#connected = true
          this.#reconnected()
        }
        if (this.#astray) await this.#backoff.wait()
        else this.#backoff.reset()
        if (count > 0 && count < FAR_BEHIND) await this.#pace()
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

  /** @returns how much has come */
  async #step(): Promise<number> {
    const log = this.#log
    // What this process has published may be there already.
    if (this.#place.epoch === log.epoch) this.#place = { epoch: log.epoch, seq: log.head }
    const before = performance.now()
    this.#read = new AbortController()
    const items = await this.#calls.make((signal) => this.#engine.read(this.#place, signal), {
      controller: this.#read,
    })
    for (const item of items) {
      if (!('turn' in item ? this.#turn(item) : this.#take(item))) {
        this.#astray = true
        break
      }
      this.#place = { epoch: item.epoch, seq: item.seq }
    }
    if (items.length < FAR_BEHIND) this.#caughtUp = before
    if (items.length > 0) this.#moved()
    return items.length
  }

  /** @returns whether it follows what the log has */
  #take(stored: Stored): boolean {
    const log = this.#log
    const { epoch, seq, time } = stored
    const end = log.commonEnd(epoch)
    if (end === undefined) return false
    if (seq <= log.head) return true
    if (seq !== log.head + 1 || (epoch !== log.epoch && seq > end)) return false
    // What has come since the log had it all is no older than that, whatever a clock says that was set meanwhile.
    const at = Math.max(Math.min(time - this.#offset, performance.now()), this.#caughtUp)
    log.take({ ...stored, at })
    return true
  }

  #turn({ epoch, seq, parent }: Turn): boolean {
    const log = this.#log
    if (log.commonEnd(epoch) !== undefined) return true
    if (parent === undefined) {
      log.turn(undefined, epoch)
      return seq === 0
    }
    if (parent !== log.epoch || seq > log.head) return false
    log.turn(seq, epoch)
    return true
  }

  /** Finds out what the log and the engine have in common, and goes on from there. */
  async #find(): Promise<void> {
    const log = this.#log
    const history = await this.#calls.make((signal) => this.#engine.history(log.epoch, signal))
    this.#heardClock(history)
    const { epoch, start, ancestors, floors, forgotten } = history
    if (epoch !== log.epoch) {
      log.turn(commonWith(log, history), epoch)
      for (const past of ancestors)
        if (log.commonEnd(past.epoch) === undefined) log.remember(past.epoch, past.seq)
    }
    if (start > log.head) log.lose({ seq: start, floors, forgotten })
    const { head } = log
    this.#place = { epoch: ancestors.find((past) => past.seq >= head)?.epoch ?? epoch, seq: head }
    // Here the log's epoch is the engine's, and what is missing of it is still to be read.
    this.#astray = false
    this.#moved()
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
