import t from 'tap'
import type { Bus } from '../../bus/bus.ts'
import { parseCursor } from '../../bus/cursor.ts'
import type { Log } from '../../bus/log.ts'
import { jsonPayload } from '../../bus/payload.ts'
import { Reader } from '../../bus/reader.ts'
import { type SharedRetention, sharedBus } from '../../bus/shared/shared-bus.ts'
import { Random } from '../chaos/random.ts'
import { seqOf } from '../redis/judge.ts'
import { turn } from './fixture.ts'
import { Store, StoreEngine } from './store.ts'

/** FUZZ_SEED repeats the choices of a run. */
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
const RUNS = Number(process.env.FUZZ_COUNT ?? 40)
const STEPS = 120
const ALL = { limit: 100_000, bytes: 1e9 }

/** An instance that can be held up. */
class Instance {
  readonly engine: StoreEngine
  readonly bus: Bus
  #open: (() => void) | undefined

  constructor(store: Store, retention: SharedRetention, onUnknown: (store: Store) => void) {
    this.engine = new StoreEngine(store)
    this.engine.onUnknown = onUnknown
    this.bus = sharedBus(() => this.engine, retention)
  }

  hold(): void {
    this.engine.gate ??= new Promise((resolve) => {
      this.#open = resolve
    })
  }

  release(): void {
    this.engine.gate = undefined
    this.#open?.()
  }
}

/** A client, and what a client may believe: its cursor only goes back at a gap, and then it has lost something. */
class Client {
  readonly faults: string[] = []
  readonly #name: string
  readonly #channels: readonly string[]
  #cursor = ''
  /** The cursors of the messages that it has. */
  #has: string[] = []
  /** What it was told to lack. */
  #told: { readonly from: number; readonly to: number }[] = []
  #under: Promise<void> | undefined
  #stream: { reader: Reader; bus: Bus } | undefined

  constructor(name: string, channels: readonly string[], cursor: string) {
    this.#name = name
    this.#channels = channels
    this.#cursor = cursor
  }

  get #seq(): number {
    return seqOf(this.#cursor)
  }

  #fault(text: string): void {
    this.faults.push(`${this.#name} at ${this.#cursor}: ${text}`)
  }

  #gap(reason: string, to: number, log: Log): void {
    const from = this.#seq
    // What it has is right up to here. Retention may have taken what follows.
    const end =
      reason === 'trimmed' ? from : reason === 'ahead' ? log.commonEnd(parseCursor(this.#cursor)!.epoch)! : 0
    if (reason === 'trimmed' ? to <= from : reason === 'ahead' && end >= from) {
      this.#fault(`${reason} to ${to}: nothing is missing`)
    }
    this.#has = this.#has.filter((each) => seqOf(each) <= end)
    this.#told = [...this.#told.filter((each) => each.from < end), { from: end, to }]
    this.#cursor = log.cursor(to)
  }

  #message(cursor: string): void {
    if (seqOf(cursor) <= this.#seq) this.#fault(`${cursor} comes again, or too late`)
    this.#has.push(cursor)
    this.#cursor = cursor
  }

  #place(cursor: string): void {
    if (seqOf(cursor) < this.#seq) this.#fault(`goes back to ${cursor}`)
    this.#cursor = cursor
  }

  /** Polls, or reads a stream for a while, as the routes do. */
  async come({ bus }: Instance, streams: boolean): Promise<void> {
    this.leave()
    const { log } = bus
    const start = parseCursor(this.#cursor)!
    try {
      await bus.settle?.(start)
    } catch {
      return
    }
    if (streams) {
      const sink = {
        full: false,
        batch: ({ entries }: { entries: readonly { cursor: string }[] }) => {
          for (const { cursor } of entries) this.#message(cursor)
        },
        gap: ({ reason, seq }: { reason: string; seq: number }) => this.#gap(reason, seq, log),
        end: () => {},
        finished: () => {},
      }
      this.#stream = { reader: new Reader(log, this.#channels, start, sink), bus }
      this.#stream.reader.resume()
      return
    }
    const { seq, gap } = log.locate(start, this.#channels)
    if (gap !== undefined) {
      this.#gap(gap.reason, gap.seq, log)
      return
    }
    const batch = log.read(this.#channels, seq, ALL)
    for (const { cursor } of batch.entries) this.#message(cursor)
    this.#place(batch.entries.length > 0 ? batch.cursor : log.cursor(log.head))
  }

  /** Comes once it is back from where it was before. */
  start(instance: Instance, streams: boolean): void {
    this.#under = (this.#under ?? Promise.resolve()).then(() => this.come(instance, streams))
  }

  async back(): Promise<void> {
    await this.#under
    this.leave()
  }

  leave(): void {
    if (this.#stream === undefined) return
    // As a socket answers a ping, or a stream says its place.
    this.#place(this.#stream.reader.tellPlace())
    this.#stream.reader.end()
    this.#stream = undefined
  }

  /** It has all that the log keeps, and nothing that the log never had. */
  conclude({ log }: Bus): void {
    const all = new Map<string, number>()
    for (const channel of this.#channels) {
      const floor = log.floor([channel])
      for (const { cursor, seq } of log.read([channel], floor, ALL).entries) all.set(cursor, seq)
    }
    const has = new Set(this.#has)
    for (const [cursor, seq] of all) {
      const told = this.#told.some(({ from, to }) => seq > from && seq <= to)
      if (!told && !has.has(cursor)) this.#fault(`${cursor} never came`)
    }
    // What retention has taken meanwhile is no part of the question.
    const least = Math.max(...this.#channels.map((channel) => log.floor([channel])))
    for (const cursor of has) {
      if (seqOf(cursor) > least && !all.has(cursor)) this.#fault(`has ${cursor}, which the log has not`)
    }
  }
}

/** Servers come and go, instances lag, and clients move between them. @returns the faults */
async function run(seed: number): Promise<string[]> {
  const random = new Random(seed)
  let epochs = 0
  const name = () => `run-${seed}-${++epochs}`
  const onUnknown = (store: Store) => store.fork(name(), store.head)
  const servers = [new Store(name())]
  const retention = random.chance(0.5) ? {} : { messages: random.int(1, 8), channels: random.int(1, 3) }
  const instances = Array.from({ length: 3 }, () => new Instance(servers[0]!, retention, onUnknown))
  let at = servers[0]!
  let number = 0
  const publish = ({ bus }: Instance) =>
    bus.publish(random.pick(['a', 'b', 'c']), jsonPayload(`${++number}`)).catch(() => {})
  await Promise.all(instances.map(({ bus }) => bus.open!({ patience: 5000, warn: () => {} })))
  await publish(instances[0]!)
  const origin = `${at.epoch}.0`
  const sets = [['a', 'b', 'c'], ['a'], ['b', 'c'], ['b'], ['c'], ['a', 'b']]
  const clients = sets.map((channels, i) => new Client(`client ${i} of ${channels}`, channels, origin))
  const lead = (to: Store) => {
    at = to
    for (const { engine } of instances) engine.store = to
  }
  for (let step = 0; step < STEPS; step++) {
    const what = random.int(0, 19)
    const instance = random.pick(instances)
    if (what < 6) void publish(instance)
    else if (what < 12) random.pick(clients).start(instance, random.chance(0.5))
    else if (what < 14) instance.hold()
    else if (what < 16) instance.release()
    else if (what === 16) {
      // A replica begins an epoch when it is promoted.
      servers[1] = at.copy()
      onUnknown(servers[1])
    }
    // A server that is led to again goes on as if nothing had happened.
    else if (what === 17) lead(random.pick(servers))
    else if (what === 18) onUnknown(at)
    for (let turns = random.int(0, 3); turns > 0; turns--) await turn()
  }
  for (const each of instances) each.release()
  // An instance that asks with an unknown epoch begins one.
  for (const each of instances) await publish(each)
  const last = instances.map(({ bus }) => bus)
  while (!last.every(({ log }) => log.epoch === at.epoch && log.head === at.head)) await turn()
  const logs = last.map(({ log }) =>
    log.read(['a', 'b', 'c'], 0, ALL).entries.map(({ envelope }) => envelope),
  )
  const faults: string[] = []
  // Retention may have taken from one what came after a fork that another has not lived through.
  const isWhole = Object.keys(retention).length === 0
  for (const log of logs) if (isWhole && log.join() !== logs[0]!.join()) faults.push('the logs differ')
  for (const client of clients) {
    await client.back()
    // At each gap one more.
    for (let i = 0; i < 4; i++) await client.come(random.pick(instances), false)
    client.conclude(last[0]!)
    faults.push(...client.faults)
  }
  await Promise.all(last.map((bus) => bus.close()))
  return faults
}

t.test('forks, lagging instances and clients between them: a cursor means the same everywhere', async (t) => {
  // Together: some wait for the end of a question.
  const runs = Array.from({ length: RUNS }, async (_, i) => {
    const own = seed + i
    const faults = await run(own)
    if (faults.length > 0) t.strictSame(faults, [], `FUZZ_SEED=${own} FUZZ_COUNT=1`)
  })
  await Promise.all(runs)
  t.pass(`${RUNS} runs from FUZZ_SEED=${seed}`)
})
