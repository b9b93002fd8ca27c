import { setImmediate } from 'node:timers/promises'
import type { Cursor } from '../cursor.ts'
import { newEpoch } from '../epochs.ts'
import { ERR_ENGINE } from '../errors.ts'
import { Calls } from '../shared/calls.ts'
import {
  type Batch,
  type Engine,
  type History,
  type Read,
  Refused,
  type Report,
  type Reported,
  type State,
  type Stored,
  type Trim,
  type Turn,
  type Verdict,
} from '../shared/engine.ts'
import { entriesOf, lettersOf, oneLine, pairsOf, parseLine } from './entry-format.ts'
import { Generations } from './generations.ts'
import { type Connect, Link } from './link.ts'
import { Reports } from './reports.ts'
import { APPEND, DENIED, HISTORY, type Script, STATE, TRIM } from './scripts.ts'
import { checkServer } from './server.ts'

/** Milliseconds for which a read blocks. */
const WAIT = 2_000

/** Limits of the batches per reply, and the characters above and below which the next reply asks for fewer or more. */
const COUNT = { least: 4, first: 16, most: 256, high: 1024 * 1024, low: 256 * 1024 }

/** Messages per reply of `kept`. */
const KEPT = 500

/** Milliseconds for which Redis keeps a writer's last batch number. */
const WRITER_AGE = 600_000

/** Redis errors after which nothing was appended, for now. */
const REFUSED = /^-?(OOM|MISCONF|NOREPLICAS)\b/

/** Limits of idempotency keys. */
export interface KeyLimits {
  readonly keys: number
  readonly keyAge: number
  /** Bytes. */
  readonly keyBytes: number
}

/** A log in Redis: one stream and some further keys. */
export class RedisEngine implements Engine {
  readonly name: string
  /** One connection for commands, one for blocking reads. */
  readonly #commands: Link
  readonly #feed: Link
  readonly #load: Connect['load']
  readonly #keys: string[]
  readonly #log: string
  readonly #kept: string
  readonly #ended: string
  readonly #tag: string
  readonly #limits: KeyLimits
  readonly #generations = new Generations()
  readonly #reports: Reports
  /** The id of the last entry that was read. */
  #last = { epoch: '', seq: 0, id: '0-0' }
  /** Number of pending appends. */
  #appends = 0
  /** Maximum batches of the next reply. */
  #count = COUNT.first

  constructor(name: string, connect: Connect, prefix: string, limits: KeyLimits) {
    this.name = name
    this.#commands = new Link(connect)
    this.#feed = new Link(connect)
    this.#load = connect.load
    this.#tag = `{${prefix}}:`
    this.#log = `${this.#tag}log`
    this.#keys = ['log', 'meta', 'epochs', 'floors', 'keys', 'order', 'ended', 'kept'].map(
      (each) => this.#tag + each,
    )
    this.#kept = `${this.#tag}kept`
    this.#ended = `${this.#tag}ended`
    this.#limits = limits
    const command = this.#command.bind(this)
    const run = this.#runWith.bind(this)
    this.#reports = new Reports({ command, run }, this.#tag)
  }

  async load(): Promise<void> {
    await this.#load?.()
  }

  async open(warn: (message: string) => void, signal: AbortSignal): Promise<void> {
    // Redis may take long to load its data, but each of its replies must come in time.
    const calls = new Calls()
    signal.addEventListener('abort', () => calls.close(), { once: true })
    await checkServer(this.name, (...args) => calls.make((signal) => this.#command(args, signal)), warn)
    const denied = (await calls
      .make((signal) => this.#run(DENIED, [], signal))
      .catch((error) => {
        throw this.#fatal(error)
      })) as string[]
    if (denied.length > 0) {
      throw new ERR_ENGINE(
        `${this.name} denies ${[...new Set(denied)].join(', ').toUpperCase()} on ${this.#tag}*: grant them to this user`,
      )
    }
    await calls
      .make((signal) =>
        this.#feed.send(['XREAD', 'COUNT', '1', 'STREAMS', this.#log, '$'], this.#log, signal),
      )
      .catch((error) => {
        throw this.#fatal(error)
      })
  }

  /** Turns a permanent error into TIDINGS_ERR_ENGINE. */
  #fatal(error: Error): Error {
    return /^-?(NOPERM|WRONGPASS|NOAUTH)\b/.test(error.message)
      ? new ERR_ENGINE(`${this.name} denies a required permission: ${error.message}`)
      : error
  }

  #command(args: readonly string[], signal: AbortSignal): Promise<unknown> {
    return this.#commands.send(args, this.#log, signal)
  }

  #run(script: Script, args: readonly string[], signal: AbortSignal, writer = 'w'): Promise<unknown> {
    return this.#runWith(script, [...this.#keys, this.#tag + writer], args, signal)
  }

  async #runWith(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<unknown> {
    const rest = [`${keys.length}`, ...keys, ...args]
    try {
      return await this.#command(['EVALSHA', script.sha, ...rest], signal)
    } catch (error) {
      if (!/^-?NOSCRIPT\b/.test((error as Error).message)) throw error
      return this.#command(['EVAL', script.text, ...rest], signal)
    }
  }

  /** Arguments of each script that detects forks. */
  #forkArgs(known: string | undefined): string[] {
    return [known ?? '', newEpoch(), `${this.#generations.last}`]
  }

  async append({ writer, number, messages, known }: Batch, signal: AbortSignal): Promise<readonly Verdict[]> {
    const { keys, keyAge, keyBytes } = this.#limits
    const keyed = messages.some(({ key }) => key !== undefined)
    const args = [...this.#forkArgs(known), number, WRITER_AGE, keyAge, keys, keyBytes, Number(keyed)].map(
      String,
    )
    // All messages in one argument: many arguments would take most of the time.
    let lines = ''
    let marked = false
    for (const { channel, payload, key } of messages) {
      marked ||= payload.mark !== undefined
      lines += `${lettersOf(payload)} ${channel} ${oneLine(payload.json)}\n`
      if (keyed) lines += key === undefined ? '-\n-\n' : `${ascii(key.name)}\n${key.digest}\n`
    }
    args.push(lines.slice(0, -1), `${messages.length}`, marked ? '1' : '0')
    this.#appends++
    try {
      const answer = await this.#run(APPEND, args, signal, `writer:${writer}`)
      return this.#verdicts(String(answer), messages.length)
    } catch (error) {
      const { message } = error as Error
      throw REFUSED.test(message) ? new Refused(message) : error
    } finally {
      this.#appends--
    }
  }

  #verdicts(answer: string, count: number): Verdict[] {
    if (answer === '') throw new Error('another batch was appended before this one')
    const [epoch = '', generation, first, time, letters = '', ...repeats] = answer.split(' ')
    this.#generations.name(Number(generation), epoch)
    let seq = Number(first)
    this.#generations.begin(Number(generation), seq - 1)
    return Array.from({ length: count }, (_, index): Verdict => {
      switch (letters[index] ?? 'p') {
        case 'p':
          return { epoch, seq: seq++, time: Number(time), repeated: false }
        case 'r': {
          const [before = '', at, then] = repeats.shift()!.split(':')
          return { epoch: before, seq: Number(at), time: Number(then), repeated: true }
        }
        case 'x':
          return 'key reused'
        case 'e':
          return 'ended'
        default:
          return 'keys full'
      }
    })
  }

  async read(after: Cursor, signal: AbortSignal, reached?: () => Cursor): Promise<Read> {
    const { epoch, seq } = this.#last
    const isLast = after.epoch === epoch && after.seq === seq
    const id = (isLast ? this.#last.id : this.#generations.idOf(after)) ?? '0-0'
    const count = this.#count
    const args = ['XREAD', 'COUNT', `${count}`, 'BLOCK', `${WAIT}`, 'STREAMS', this.#log, id]
    const entries = entriesOf(await this.#feed.send(args, this.#log, signal))
    // Redis may have written this reply before that of the append that it waited for. With that, it is not parsed.
    if (this.#appends > 0) await setImmediate()
    const items: (Stored | Turn)[] = []
    const has = reached?.()
    let size = 0
    let omitted = 0
    for (const [id, [field = '', value = '']] of entries) {
      const entry = this.#entryOf(id, field, value)
      size += value.length
      if (field === 'm' && entry.epoch === has?.epoch && entry.seq <= has.seq) omitted++
      else this.#take(entry, field, value, items)
      this.#last = { epoch: entry.epoch, seq: entry.seq, id }
    }
    const more = entries.length === count
    if (size > COUNT.high) this.#count = Math.max(COUNT.least, Math.floor(count / 2))
    else if (more && size < COUNT.low) this.#count = Math.min(COUNT.most, count * 2)
    return { items, omitted, more }
  }

  /** The place of an entry's last message. Learns the epoch of its generation. */
  #entryOf(id: string, field: string, value: string): Cursor & { readonly generation: number } {
    const dash = id.indexOf('-')
    const generation = Number(id.slice(0, dash))
    const seq = Number(id.slice(dash + 1))
    if (field === 't') this.#generations.name(generation, value.slice(0, value.indexOf(' ')))
    return { epoch: this.#generations.nameOf(generation), seq, generation }
  }

  #take(
    entry: Cursor & { readonly generation: number },
    field: string,
    value: string,
    items: (Stored | Turn)[],
  ): void {
    const { epoch, seq: last, generation } = entry
    if (field === 't') {
      this.#generations.begin(generation, last)
      items.push({ turn: true, epoch, seq: last, parent: value.slice(epoch.length + 1) || undefined })
      return
    }
    const head = value.indexOf('\n')
    const count = value.indexOf(' ') + 1
    const time = Number(value.slice(0, count - 1))
    let seq = last - Number(value.slice(count, head))
    this.#generations.begin(generation, seq)
    for (let from = head + 1; seq < last; ) {
      const end = value.indexOf('\n', from)
      const to = end === -1 ? value.length : end
      items.push(parseLine(value, from, to, epoch, ++seq, time))
      from = to + 1
    }
  }

  async kept(after: number, signal: AbortSignal): Promise<readonly Stored[]> {
    for (let from = after; ; ) {
      const args = ['ZRANGE', this.#kept, `(${from}`, '+inf', 'BYSCORE', 'LIMIT', '0', `${KEPT}`]
      const lines = (await this.#command(args, signal)) as string[]
      const all = lines.map((line) => this.#parseKept(line))
      const holding = await this.#holding(all, signal)
      if (holding.length > 0 || all.length === 0) return holding
      from = all.at(-1)!.seq
    }
  }

  /** `seq generation time letters channel json` */
  #parseKept(line: string): Stored {
    const generation = line.indexOf(' ') + 1
    const time = line.indexOf(' ', generation) + 1
    const from = line.indexOf(' ', time) + 1
    const seq = Number(line.slice(0, generation - 1))
    const number = Number(line.slice(generation, time - 1))
    this.#generations.begin(number, seq - 1)
    const epoch = this.#generations.nameOf(number)
    return parseLine(line, from, line.length, epoch, seq, Number(line.slice(time, from - 1)))
  }

  /**
   * A stored end keeps its mark when its channel is reopened, and the `reopen` may be trimmed. Then the end is a
   * message, or void without data.
   */
  async #holding(all: readonly Stored[], signal: AbortSignal): Promise<readonly Stored[]> {
    const ends = all.filter(({ payload }) => payload.mark === 'end')
    if (ends.length === 0) return all
    const command = ['HMGET', this.#ended, ...ends.map(({ channel }) => channel)]
    const places = (await this.#command(command, signal)) as (string | null)[]
    const over = new Set(ends.filter(({ seq }, i) => Number(places[i]) !== seq))
    return all.flatMap((each) => {
      if (!over.has(each)) return [each]
      const { kind, json } = each.payload
      return json === '' ? [] : [{ ...each, payload: { kind, json } }]
    })
  }

  async state(known: string | undefined, signal: AbortSignal): Promise<State> {
    return this.#stateOf((await this.#run(STATE, this.#forkArgs(known), signal)) as string[])
  }

  #stateOf([epoch = '', generation, head, now]: readonly unknown[]): State {
    this.#generations.name(Number(generation), String(epoch))
    return { epoch: String(epoch), seq: Number(head), now: Number(now) }
  }

  async history(known: string | undefined, signal: AbortSignal): Promise<History> {
    const reply = (await this.#run(HISTORY, this.#forkArgs(known), signal)) as unknown[]
    const state = this.#stateOf(reply)
    const [start, forgotten, past, floors] = reply.slice(4) as [string, string, string[], unknown[]]
    const ancestors = past.map((each) => {
      const [epoch = '', generation, end] = each.split(' ')
      this.#generations.name(Number(generation), epoch)
      return { epoch, seq: Number(end) }
    })
    return {
      ...state,
      start: Number(start),
      ancestors,
      floors: pairsOf(floors),
      forgotten: Number(forgotten),
    }
  }

  async trim(trim: Trim, signal: AbortSignal): Promise<number | undefined> {
    const { epoch, seq, kept, gone, floors, forgotten, unknown, head, mostFloors } = trim
    const id = this.#generations.idAfter(seq)
    const args = [epoch, `${seq}`, id, `${forgotten}`, `${mostFloors}`, kept.join(' '), gone.join(' ')]
    args.push(unknown.join(' '), this.#generations.idOf({ epoch, seq: head }) ?? '')
    for (const [channel, floor] of floors) args.push(`${floor}`, channel)
    const start = await this.#run(TRIM, args, signal)
    return start === '' ? undefined : Number(start)
  }

  report(report: Report, signal: AbortSignal): Promise<boolean> {
    return this.#reports.keep(report, signal)
  }

  reported(channel: string, signal: AbortSignal): Promise<readonly Reported[]> {
    return this.#reports.of(channel, signal)
  }

  async close(): Promise<void> {
    this.#commands.close()
    this.#feed.close()
  }
}

/** Encodes the name of a key without loss: UTF-8 has no lone surrogates. */
function ascii(name: string): string {
  return JSON.stringify(name)
}
