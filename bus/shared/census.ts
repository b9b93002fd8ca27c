import { randomBytes } from 'node:crypto'
import type { Occupancy } from '../bus.ts'
import type { ReaderGroups } from '../reader-groups.ts'
import { type Calls, SILENCE } from './calls.ts'
import type { Engine } from './engine.ts'

/** Maximum milliseconds between reports. The delay is random, at least half of it, to spread the instances. */
const PERIOD = 2_000

/** Milliseconds after which unchanged numbers are reported again, and after which a report is void. */
const RENEW = 5_000
const LEASE = 15_000

/** Maximum number of reported channels, and of those in one call. */
const MOST = { channels: 10_000, atOnce: 1_000 }

type Reporting = Pick<Engine, 'report' | 'reported'>

/** Reports the readers of this instance to the engine, and counts those of all instances. */
export class Census {
  readonly #engine: Reporting
  readonly #groups: ReaderGroups
  readonly #calls: Calls
  readonly #instance = randomBytes(9).toString('base64url')
  #number = 0
  /** The numbers that the engine keeps, as known here. */
  readonly #told = new Map<string, number>()
  #toldAt = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(engine: Reporting, groups: ReaderGroups, calls: Calls) {
    this.#engine = engine
    this.#groups = groups
    this.#calls = calls
  }

  start(): void {
    if (this.#engine.report === undefined || this.#closed) return
    this.#timer = setTimeout(
      () => this.report().finally(() => this.start()),
      PERIOD * (0.5 + Math.random() / 2),
    ).unref()
  }

  /** Reports what has changed. Never rejects: the next report includes what this one did not tell. */
  async report(): Promise<void> {
    const changes = this.#changes()
    const isOld = this.#told.size > 0 && performance.now() - this.#toldAt >= RENEW
    if (changes.length === 0 && !isOld) return
    try {
      do await this.#tell(changes.splice(0, MOST.atOnce))
      while (changes.length > 0 && !this.#closed)
    } catch {
      // Then the engine may have any part of it. The next report replaces all.
      this.#told.clear()
    }
  }

  #changes(): [channel: string, count: number][] {
    const counts = this.#groups.counts(MOST.channels)
    const gone = [...this.#told.keys()].filter((channel) => !counts.has(channel))
    const changed = [...counts].filter(([channel, count]) => this.#told.get(channel) !== count)
    return [...gone.map((channel): [string, number] => [channel, 0]), ...changed]
  }

  async #tell(changes: readonly [channel: string, count: number][]): Promise<void> {
    const told = this.#told
    if (!(await this.#send(told.size === 0, new Map(changes)))) throw new Error('the engine has forgotten it')
    for (const [channel, count] of changes) {
      if (count === 0) told.delete(channel)
      else told.set(channel, count)
    }
    this.#toldAt = performance.now()
  }

  #send(whole: boolean, counts: ReadonlyMap<string, number>, silence = SILENCE): Promise<boolean> {
    const report = { instance: this.#instance, number: ++this.#number, whole, counts, lease: LEASE }
    return this.#calls.make((signal) => this.#engine.report!(report, signal), { silence })
  }

  /** @throws TIDINGS_ERR_UNAVAILABLE */
  async occupancy(channel: string): Promise<Occupancy> {
    const ask = async (signal: AbortSignal) => (await this.#engine.reported?.(channel, signal)) ?? []
    const all = await this.#calls.persist((silence) => this.#calls.make(ask, { silence }))
    const others = all.filter(({ instance }) => instance !== this.#instance)
    return {
      readers: others.reduce((sum, { readers }) => sum + readers, this.#groups.readersOf(channel)),
      at: Math.min(Date.now(), ...others.map(({ at }) => at)),
    }
  }

  /** Withdraws the reports, within `patience` milliseconds. @param patience 0: not at all */
  async close(patience: number): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    if (this.#number > 0 && patience > 0) await this.#send(true, new Map(), patience).catch(() => {})
  }
}
