import type { Accepted, Bus } from './bus.ts'
import { isChannel } from './channel.ts'
import { checkKnown, checkNumber } from './check.ts'
import { ERR_CLOSED, ERR_ENDED, ERR_OPTION, ERR_TOO_LARGE } from './errors.ts'
import { IdempotencyKeys, keyName } from './idempotency-keys.ts'
import { Log, type Retention, type Rule } from './log.ts'
import { type Payload, reopens } from './payload.ts'

/** What the memory bus keeps: the log's retention, and idempotency keys. */
export interface MemoryBusOptions extends Retention {
  /**
   * Idempotency keys remembered, in as much as half of `bytes`; past it a publish with a new key gets 503.
   * @default 100000
   */
  keys?: number
  /** How long an idempotency key is remembered, in milliseconds. @default 600000 */
  keyAge?: number
}

/** A bus of this process alone. */
export interface MemoryBus extends Bus {
  /**
   * Begins a new epoch, as a restart does, or the failover of a database: for tests and demonstrations.
   * @param end what stands after it is lost, and its keys are forgotten. @default all is
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
 * A bus of this process alone: nothing to run beside it, and nothing that outlives it.
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
    if (!isChannel(name)) throw new ERR_OPTION(at, 'is no name of a channel, nor the beginning of one')
    checkKept(at, { messages: 1, age: 1, ...checkKnown<Rule>(at, rule, ['messages', 'age']) })
  }
}

/** The part of the bytes that idempotency keys may take. */
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
    // One that the log's bound can't hold would be gone before anybody read it; keys stay until their time is over.
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
