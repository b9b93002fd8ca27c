import type { Accepted, Bus } from './bus.ts'
import { isChannel } from './channel.ts'
import { checkKnown, checkNumber } from './check.ts'
import { ERR_CLOSED, ERR_ENDED, ERR_OPTION, ERR_TOO_LARGE } from './errors.ts'
import { IdempotencyKeys, keyName } from './idempotency-keys.ts'
import { Log } from './log.ts'
import { type Payload, reopens } from './payload.ts'
import type { Retention, Rule } from './retention.ts'

/** Retention of the memory bus: messages and idempotency keys. */
export interface MemoryBusOptions extends Retention {
  /**
   * Maximum number of idempotency keys. They may take half of `bytes`. Above either limit, a publish with a new key
   * gets 503. @default 100000
   */
  keys?: number
  /** Milliseconds for which an idempotency key is kept. @default 600000 */
  keyAge?: number
}

/** A bus in the memory of one process. */
export interface MemoryBus extends Bus {
  /**
   * Begins a new epoch, as a restart or a failover does. For tests and demonstrations.
   * @param end the last seq to keep; later messages and their keys are lost. @default the log starts over empty
   */
  turn(end?: number): void
}

const DEFAULTS: Required<MemoryBusOptions> = {
  messages: 10_000,
  age: 3_600_000,
  bytes: 64 * 1024 * 1024,
  channels: 10_000,
  rules: {},
  keys: 100_000,
  keyAge: 600_000,
}

/**
 * Creates a bus in the memory of this process. It needs no other server, and loses its messages at exit.
 * @throws TIDINGS_ERR_OPTION
 */
export function memoryBus(options: MemoryBusOptions = {}): MemoryBus {
  return new LocalBus(checkRetention(options))
}

/** @throws TIDINGS_ERR_OPTION */
export function checkRetention(options: unknown): Required<MemoryBusOptions> {
  const known = checkKnown<MemoryBusOptions>(
    'retention',
    options,
    Object.keys(DEFAULTS) as (keyof MemoryBusOptions)[],
  )
  const checked = { ...DEFAULTS, ...known }
  checkKept('retention', checked)
  checkRules(checked.rules)
  checkNumber('retention.bytes', checked.bytes, { least: 1, unit: 'bytes' })
  checkNumber('retention.channels', checked.channels, { unit: 'channels' })
  checkNumber('retention.keys', checked.keys, { unit: 'keys' })
  checkNumber('retention.keyAge', checked.keyAge, { least: 1, unit: 'milliseconds' })
  return checked
}

function checkKept(name: string, { messages, age }: Required<Rule>): void {
  checkNumber(`${name}.messages`, messages, { least: 1, unit: 'messages' })
  checkNumber(`${name}.age`, age, { least: 1, unit: 'milliseconds', infinity: true })
}

function checkRules(rules: unknown): void {
  const known = checkKnown<Record<string, Rule>>('retention.rules', rules, Object.keys(Object(rules)))
  for (const [name, rule] of Object.entries(known)) {
    const at = `retention.rules['${name}']`
    if (!isChannel(name)) throw new ERR_OPTION(at, 'must be the name of a channel, or a prefix of one')
    checkKept(at, { messages: 1, age: 1, ...checkKnown<Rule>(at, rule, ['messages', 'age']) })
  }
}

/** Share of `bytes` that idempotency keys may take. */
const KEYS_PART = 1 / 2

class LocalBus implements MemoryBus {
  readonly log: Log
  readonly #keys: IdempotencyKeys
  readonly #bytes: number
  #closed = false

  constructor(options: Required<MemoryBusOptions>) {
    const log = new Log(options)
    const { keys, keyAge, bytes } = options
    this.log = log
    this.#keys = new IdempotencyKeys(keys, keyAge, bytes * KEYS_PART, (more) => log.charge(more))
    this.#bytes = bytes
  }

  async publish(channel: string, payload: Payload, key?: string, publisher?: string): Promise<Accepted> {
    if (this.#closed) throw new ERR_CLOSED()
    const { log } = this
    const keys = this.#keys
    // A message above the limit would be removed before anybody read it. Keys stay until they expire.
    const name = key === undefined ? undefined : keyName(channel, key, publisher)
    const weight = log.weightOf(channel, payload) + (name === undefined ? 0 : keys.weightOf(name))
    if (weight > this.#bytes - keys.bytes) throw new ERR_TOO_LARGE(weight, this.#bytes - keys.bytes)
    const known = name === undefined ? undefined : keys.find(name, payload)
    if (known !== undefined) {
      const { epoch, seq, time } = known
      return { epoch, seq, time, repeated: true }
    }
    if (!reopens(payload) && log.endOf(channel) !== undefined) throw new ERR_ENDED(channel)
    const { seq, time } = log.append(channel, payload)
    const { epoch } = log
    if (name !== undefined) keys.remember(name, payload, { epoch, seq, time })
    return { epoch, seq, time, repeated: false }
  }

  turn(end?: number): void {
    this.#keys.cut(end ?? 0)
    this.log.turn(end)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#keys.close()
    this.log.close()
  }
}
