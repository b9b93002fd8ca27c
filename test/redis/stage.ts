import type { Test } from 'tap'
import { ask } from '../request.ts'
import { Balancer } from './balancer.ts'
import type { Start } from './instance.ts'
import { Instance } from './instances.ts'
import { type Given, Truth } from './judge.ts'
import { Line } from './line.ts'
import { type Accepted, Publisher } from './publisher.ts'
import { type Asked, KINDS, makeReader, type Reader } from './readers.ts'
import { ALWAYS, moment, RedisServer, type Settings } from './server.ts'

export const CHANNELS = ['a', 'b'] as const

export interface Scene {
  /** How many there are. @default 2 */
  readonly instances?: number
  readonly redis?: Settings
  readonly start?: Partial<Start>
  /** Publishes under way at once, and milliseconds after each. @default 4 and 20 */
  readonly load?: { lanes: number; pause: number } | false
  /** @default one of each kind for both channels, and one of each for one of them */
  readonly readers?: readonly Asked[]
  /** What stands before the instances, which listen at these ports. @default a balancer @returns where it is asked */
  readonly front?: (ports: readonly number[]) => Promise<string>
}

const READERS: readonly Asked[] = KINDS.flatMap((kind) => [
  { kind, channels: CHANNELS, whole: true, stay: 40 },
  { kind, channels: ['b'], whole: false, stay: 25 },
])

/** A Redis, a proxy before it, instances, a balancer before them, and who reads and publishes there. */
export class Stage {
  readonly t: Test
  readonly truth = new Truth()
  readonly readers: Reader[] = []
  instances: Instance[] = []
  redis!: RedisServer
  line!: Line
  /** Where clients ask. */
  base = ''
  #balancer: Balancer | undefined
  publisher!: Publisher
  readonly #start: Partial<Start>
  /** What the test waits for: it is printed if the test ends before that. */
  #step: (() => string) | undefined

  private constructor(t: Test, start: Partial<Start>) {
    this.t = t
    this.#start = start
  }

  static async set(t: Test, scene: Scene = {}): Promise<Stage> {
    const {
      instances = 2,
      redis = ALWAYS,
      start = {},
      load = { lanes: 4, pause: 20 },
      front,
      readers = READERS,
    } = scene
    const stage = new Stage(t, start)
    t.teardown(() => {
      if (stage.#step !== undefined) console.error(`${t.name}: ended while it waited for ${stage.#step()}`)
    })
    stage.redis = await RedisServer.start(t, redis)
    stage.line = await Line.start(t, stage.redis.port)
    await Promise.all(Array.from({ length: instances }, () => stage.enter()))
    if (front === undefined) stage.#balancer = await Balancer.start(t, stage.#ports)
    stage.base = stage.#balancer?.url ?? (await front!(stage.#ports))
    stage.publisher = new Publisher(stage.base, CHANNELS)
    for (const asked of readers) stage.read(asked)
    if (load) stage.publisher.start(load.lanes, load.pause)
    return stage
  }

  get #ports(): number[] {
    return this.instances.map(({ port }) => port)
  }

  /** One more instance; the balancer leads to it, too. */
  async enter(more: Partial<Start> = {}): Promise<Instance> {
    const instance = await Instance.start(this.t, { url: this.line.url, ...this.#start, ...more })
    this.instances.push(instance)
    if (this.#balancer !== undefined) this.#balancer.targets = this.#ports
    return instance
  }

  /** The balancer leads to it no more. */
  leave(instance: Instance): void {
    this.instances = this.instances.filter((each) => each !== instance)
    if (this.#balancer !== undefined) this.#balancer.targets = this.#ports
  }

  /** @param base an instance's, where it is not to move */
  read(asked: Asked, base = this.base): Reader {
    const reader = makeReader(`${asked.kind} of ${asked.channels.join()}`, base, asked, this.truth)
    this.readers.push(reader)
    this.t.teardown(() => reader.stop())
    reader.start()
    return reader
  }

  /** Resolves once all readers have this message, which is of channel b. */
  async all(id: number): Promise<void> {
    const lacking = () =>
      this.readers
        .filter(({ judge }) => !judge.has(id))
        .map(({ judge, connections }) => `${judge.name}, at ${judge.seq}, ${connections} connections`)
    await this.#wait(
      Promise.all(this.readers.map(({ judge }) => judge.reached(id))),
      () => `number ${id} at ${lacking().join('; ')}`,
    )
  }

  async #wait<T>(work: Promise<T>, what: () => string): Promise<T> {
    this.#step = what
    const result = await work
    this.#step = undefined
    return result
  }

  /** Publishes one message, and waits until all readers have it. @returns what was said of it */
  async mark(): Promise<Accepted> {
    const id = await this.#wait(this.publisher.publish('b'), () => {
      const refused = [...this.publisher.refused].map(([status, count]) => `${count} times ${status}`)
      return `a publish; refused: ${refused.join(', ')}`
    })
    await this.all(id)
    return this.publisher.accepted.find((one) => one.id === id)!
  }

  /**
   * The end: what was begun is answered, all readers come to the end, and all is held against the log, which has to be
   * the same at every instance.
   * @param expected.gaps what a reader has to be told
   * @param expected.lost what was accepted and is rightly gone
   */
  async conclude({
    gaps = () => [],
    lost = () => false,
  }: {
    gaps?: (reader: Reader) => string[]
    lost?: (accepted: Accepted) => boolean
  } = {}): Promise<void> {
    const { t, publisher, truth } = this
    await this.#wait(publisher.stop(), () => 'the end of publishing')
    await this.mark()
    for (const reader of this.readers)
      await this.#wait(reader.stop(), () => `the end of ${reader.judge.name}`)
    const logs = await this.#wait(
      Promise.all(this.instances.map(({ url }) => logOf(url))),
      () => 'the logs of the instances',
    )
    for (const log of logs.slice(1)) t.strictSame(log, logs[0], 'the log is the same at each instance')
    const [log] = logs as [Given[]]
    for (const given of log) truth.note('the log', given)
    for (const { judge } of this.readers) judge.conclude(log)
    t.strictSame(truth.faults, [], 'nothing lost, nothing twice, each hole told')
    t.strictSame(publisher.missing(log, lost), [], 'what was accepted is there')
    for (const reader of this.readers) {
      t.strictSame(
        reader.judge.gaps.map(({ reason, cursor }) => `${reason} ${cursor.slice(cursor.indexOf('.') + 1)}`),
        gaps(reader),
        `${reader.judge.name}: the gaps that it was told`,
      )
    }
    await this.connectionsAre(2 * this.instances.length)
  }

  /** Resolves once Redis has no more connections than that. */
  async connectionsAre(most: number): Promise<void> {
    while ((await this.redis.connections()) > most) await moment()
  }
}

/** All that an instance's log keeps of the channels, in its order. */
export async function logOf(url: string, channels: readonly string[] = CHANNELS): Promise<Given[]> {
  const query = channels.map((channel) => `channel=${channel}`).join('&')
  const all: Given[] = []
  for (let cursor = 'earliest'; ; ) {
    const { status, text } = await ask(`${url}/poll?${query}&limit=1000&cursor=${cursor}`)
    if (status === 204) return all
    const page = JSON.parse(text) as { cursor: string; messages: Given[]; more: boolean }
    all.push(...page.messages)
    if (!page.more) return all
    cursor = page.cursor
  }
}
