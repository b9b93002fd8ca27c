import type { Test } from 'tap'
import { redisBus } from '../../bus/redis.ts'
import type { Built } from '../helper.ts'
import { build } from '../helper.ts'
import { ask } from '../request.ts'
import { type Given, Truth } from './judge.ts'
import { Publisher } from './publisher.ts'
import { KINDS, makeReader, type Reader } from './readers.ts'
import { logOf } from './stage.ts'

/** A client of an app's own: whatever redisBus takes. */
export type AppClient = NonNullable<Parameters<typeof redisBus>[0]['client']>

/** Two apps of this process on one log, each by a client of its own, and a reader of each kind at both. */
export class Pair {
  readonly #t: Test
  readonly #apps: readonly Built[]
  readonly #truth = new Truth()
  readonly #readers: Reader[] = []
  readonly #publishers: Publisher[]

  private constructor(t: Test, apps: readonly Built[]) {
    this.#t = t
    this.#apps = apps
    this.#publishers = apps.map(({ url }) => new Publisher(url, ['a']))
    for (const [i, { url }] of apps.entries()) {
      for (const kind of KINDS) {
        const reader = makeReader(`${kind} at ${i}`, url, { kind, channels: ['a'], whole: true }, this.#truth)
        t.teardown(() => reader.stop())
        reader.start()
        this.#readers.push(reader)
      }
    }
  }

  static async set(t: Test, make: () => AppClient | Promise<AppClient>): Promise<Pair> {
    const apps = []
    for (let i = 0; i < 2; i++) {
      apps.push(await build(t, { bus: redisBus({ client: await make() }), publish: true, stats: true }))
    }
    return new Pair(t, apps)
  }

  /** Publishes at both. Resolves once all readers have it all. */
  async exchange(count: number): Promise<void> {
    let last = 0
    for (let i = 0; i < count; i++) last = await this.#publishers[i % 2]!.publish()
    await Promise.all(this.#readers.map(({ judge }) => judge.reached(last)))
  }

  /** All that was published is at both, and nobody was told of a gap. */
  async conclude(): Promise<void> {
    const t = this.#t
    const logs: Given[][] = []
    for (const { url } of this.#apps) {
      logs.push(await logOf(url, ['a']))
      t.equal((await ask(`${url}/stats`)).json.bus.connected, true)
    }
    t.strictSame(logs[1], logs[0])
    for (const { judge } of this.#readers) {
      judge.conclude(logs[0]!)
      t.strictSame(judge.gaps, [])
    }
    t.strictSame(this.#truth.faults, [])
    for (const publisher of this.#publishers)
      t.strictSame(
        publisher.missing(logs[0]!, () => false),
        [],
      )
    for (const reader of this.#readers) await reader.stop()
  }
}
