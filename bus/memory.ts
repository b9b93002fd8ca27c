import type { Accepted, Bus } from './bus.ts'
import { checkKnown, checkNumber } from './check.ts'
import { ERR_CLOSED, ERR_TOO_LARGE } from './errors.ts'
import { Keys } from './keys.ts'
import { Log, type Retention } from './log.ts'
import type { Payload } from './payload.ts'

/** What the memory bus keeps: the log's retention, and idempotency keys. */
export interface MemoryBusOptions extends Retention {
  /** Idempotency keys remembered; past it a publish with a new key gets 503. @default 100000 */
  keys?: number
  /** How long an idempotency key is remembered, in milliseconds. @default 600000 */
  keyAge?: number
}

const DEFAULTS: Required<MemoryBusOptions> = {
  messages: 10_000,
  age: 3_600_000,
  bytes: 64 * 1024 * 1024,
  channels: 10_000,
  keys: 100_000,
  keyAge: 600_000,
}

/**
 * A bus of this process alone: nothing to run beside it, and nothing that outlives it.
 * @throws TIDINGS_ERR_OPTION
 */
export function memoryBus(options: MemoryBusOptions = {}): Bus {
  return new MemoryBus(checkRetention(options))
}

/** @throws TIDINGS_ERR_OPTION */
function checkRetention(options: unknown): Required<MemoryBusOptions> {
  const known = checkKnown<MemoryBusOptions>(
    'retention',
    options,
    Object.keys(DEFAULTS) as (keyof MemoryBusOptions)[],
  )
  const checked = { ...DEFAULTS, ...known }
  checkNumber('retention.messages', checked.messages, { least: 1, unit: 'messages' })
  checkNumber('retention.age', checked.age, { least: 1, unit: 'milliseconds', infinity: true })
  checkNumber('retention.bytes', checked.bytes, { least: 1, unit: 'bytes' })
  checkNumber('retention.channels', checked.channels, { unit: 'channels' })
  checkNumber('retention.keys', checked.keys, { unit: 'keys' })
  checkNumber('retention.keyAge', checked.keyAge, { least: 1, unit: 'milliseconds' })
  return checked
}

/** What an envelope weighs beside its channel's name and its data, in bytes, at most. */
const ENVELOPE = 100

class MemoryBus implements Bus {
  readonly log: Log
  readonly #keys: Keys
  readonly #bytes: number
  #closed = false

  constructor(options: Required<MemoryBusOptions>) {
    this.log = new Log(options)
    this.#keys = new Keys(options.keys, options.keyAge)
    this.#bytes = options.bytes
  }

  async publish(channel: string, payload: Payload, key?: string): Promise<Accepted> {
    if (this.#closed) throw new ERR_CLOSED()
    // One that the log's bound can't hold would be gone before anybody read it.
    const weight = ENVELOPE + channel.length + Buffer.byteLength(payload.json) + Buffer.byteLength(key ?? '')
    if (weight > this.#bytes) throw new ERR_TOO_LARGE(weight, this.#bytes)
    if (key === undefined) return { ...placeOf(this.log.append(channel, payload)), repeated: false }
    const known = this.#keys.find(channel, key, payload)
    if (known !== undefined) return { ...placeOf(known), repeated: true }
    const entry = this.log.append(channel, payload, Buffer.byteLength(key))
    this.#keys.remember(channel, key, payload, entry)
    return { ...placeOf(entry), repeated: false }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.log.close()
  }
}

function placeOf({ seq, time }: { seq: number; time: number }): { seq: number; time: number } {
  return { seq, time }
}
