import { createHash } from 'node:crypto'
import type { Accepted, Bus, Host, Occupancy } from '../bus.ts'
import type { Cursor, Start } from '../cursor.ts'
import { ERR_CLOSED, ERR_ENGINE, ERR_TOO_LARGE } from '../errors.ts'
import { keyName, weightOf } from '../idempotency-keys.ts'
import { Log } from '../log.ts'
import { checkRetention, type MemoryBusOptions } from '../memory.ts'
import type { Payload } from '../payload.ts'
import { Arrivals, arrival } from './arrival.ts'
import { Backoff, Calls, SILENCE } from './calls.ts'
import { Census } from './census.ts'
import type { Engine } from './engine.ts'
import { Follower } from './follower.ts'
import { Outbox } from './outbox.ts'
import { Questions } from './questions.ts'
import { Trimmer } from './trimmer.ts'

/**
 * Retention of a shared log. It must be equal for all instances: new ones load only messages that every instance keeps.
 */
export type SharedRetention = MemoryBusOptions

/** Milliseconds between checks of the engine's epoch, at random within a second. */
const LOOK = 2_000

/** Milliseconds for which `close` waits for pending publishes and for the engine. */
const GRACE = 1_000

/**
 * Creates a bus whose log is kept by an engine and shared by several processes. Each process copies the whole log into
 * its memory. This code is the same for all engines.
 * @param makeEngine called with the checked retention
 * @throws TIDINGS_ERR_OPTION
 */
export function sharedBus(
  makeEngine: (retention: Required<SharedRetention>) => Engine,
  retention: SharedRetention = {},
): Bus {
  const checked = checkRetention(retention)
  return new SharedBus(makeEngine(checked), checked)
}

class SharedBus implements Bus {
  readonly log: Log
  readonly #engine: Engine
  readonly #bytes: number
  readonly #calls = new Calls()
  readonly #arrivals: Arrivals
  readonly #follower: Follower
  readonly #outbox: Outbox
  readonly #questions: Questions
  readonly #trimmer: Trimmer
  readonly #census: Census
  #opening: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined

  constructor(engine: Engine, retention: Required<SharedRetention>) {
    const log = new Log(
      retention,
      (gone) => this.#trimmer.note(gone),
      (channel) => this.#trimmer.noteFloor(channel),
    )
    const calls = this.#calls
    this.log = log
    this.#engine = engine
    this.#bytes = retention.bytes
    this.#arrivals = new Arrivals(log)
    const moved = () => {
      this.#outbox.look()
      this.#arrivals.look()
    }
    this.#follower = new Follower(engine, log, calls, moved, () => this.#look())
    this.#outbox = new Outbox(engine, log, calls, { expect: (place) => this.#follower.expect(place), moved })
    this.#questions = new Questions(
      engine,
      calls,
      () => log.epoch,
      (state) => this.#follower.heard(state),
    )
    this.#trimmer = new Trimmer(engine, log, calls, retention.channels)
    this.#census = new Census(engine, log.groups, calls)
  }

  get connected(): boolean {
    return this.#follower.connected
  }

  get lag(): number {
    return this.#follower.lag
  }

  open(host: Host): Promise<void> {
    this.#opening ??= this.#open(host)
    return this.#opening
  }

  async #open({ warn, patience }: Host): Promise<void> {
    const until = performance.now() + patience
    try {
      await this.#engine.load?.()
      await this.#attempt((signal) => this.#engine.open(warn, signal), until)
      await this.#load(until)
    } catch (error) {
      await this.close()
      throw error
    }
    void this.#follower.run()
    this.#trimmer.start()
    this.#census.start()
    this.#arm()
  }

  /** @throws TIDINGS_ERR_ENGINE */
  async #attempt(open: (signal: AbortSignal) => Promise<void>, until: number): Promise<void> {
    const backoff = new Backoff()
    const answer = performance.now() + SILENCE
    for (;;) {
      try {
        await this.#calls.make(open, { silence: Math.max(until - performance.now(), 1) })
        return
      } catch (error) {
        if (error instanceof ERR_ENGINE) throw error
        if (performance.now() >= Math.min(answer, until) || this.#calls.closed) {
          throw this.#unreachable(error)
        }
        await backoff.wait()
        if (performance.now() >= until) throw this.#unreachable(error)
      }
    }
  }

  #unreachable(error: unknown): Error {
    return new ERR_ENGINE(`${this.#engine.name} is unreachable: ${(error as Error).message}`)
  }

  /**
   * Loads the log. Fails before Fastify's plugin timeout, whose error does not give the reason.
   * @throws TIDINGS_ERR_ENGINE
   */
  async #load(until: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new ERR_ENGINE(
              `${this.#engine.name} did not deliver its log in time: raise Fastify's pluginTimeout`,
            ),
          ),
        Math.max(until - performance.now(), 1),
      )
    })
    try {
      await Promise.race([this.#follower.load(), late])
    } finally {
      clearTimeout(timer)
    }
  }

  #arm(): void {
    this.#timer = setTimeout(() => this.#look(), LOOK * (0.75 + Math.random() / 4)).unref()
  }

  /** Detects a new epoch of the engine while nobody publishes. */
  #look(): void {
    clearTimeout(this.#timer)
    this.#questions
      .once()
      .catch(() => {})
      .finally(() => {
        if (this.#closing === undefined) this.#arm()
      })
  }

  settle(start: Start): Promise<void> | undefined {
    if (typeof start === 'string' || !('epoch' in start)) return undefined
    return arrival(this.log, start) === 'not yet' ? this.#find(start) : undefined
  }

  /** Asks the engine for its head, and waits until this log has reached it. */
  async #find(start: Cursor): Promise<void> {
    const until = performance.now() + SILENCE
    let asked: string
    do {
      const state = await this.#questions.ask(until - performance.now())
      await this.#arrivals.wait(state, until - performance.now())
      asked = state.epoch
      // The answer says nothing of an epoch that has begun since.
    } while (asked !== this.log.epoch && arrival(this.log, start) === 'not yet')
  }

  publish(channel: string, payload: Payload, key?: string, publisher?: string): Promise<Accepted> {
    if (this.#closing !== undefined) return Promise.reject(new ERR_CLOSED())
    const name = key === undefined ? undefined : keyName(channel, key, publisher)
    // A message above the limit would be removed before anybody read it.
    const weight = this.log.weightOf(channel, payload)
    const needed = weight + (name === undefined ? 0 : weightOf(name))
    if (needed > this.#bytes) return Promise.reject(new ERR_TOO_LARGE(needed, this.#bytes))
    const message = {
      channel,
      payload,
      key: name === undefined ? undefined : { name, digest: digestOf(payload) },
    }
    return this.#outbox.publish(message, weight)
  }

  occupancy(channel: string): Promise<Occupancy> {
    return this.#census.occupancy(channel)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // To withdraw is not worth a new connection.
    const withdrawn = this.#census.close(this.connected ? GRACE : 0)
    await Promise.all([this.#outbox.close(GRACE), withdrawn])
    clearTimeout(this.#timer)
    this.#calls.close()
    this.#arrivals.close()
    this.#follower.close()
    this.#trimmer.close()
    await this.#engine.close()
    this.log.close()
  }
}

function digestOf({ kind, json, mark }: Payload): string {
  return createHash('sha256')
    .update(kind)
    .update(mark ?? '')
    .update(json)
    .digest('base64url')
}
