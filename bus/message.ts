import { BASE64_MARK, type Kind, type Payload } from './payload.ts'

/** A message as a program gets it. */
export interface Message<T = unknown> {
  /** Names the message; a reader that has applied it goes on from here, on any transport. */
  readonly cursor: string
  readonly channel: string
  /** When the bus accepted it: milliseconds since 1970. */
  readonly time: number
  /** The parsed JSON, a string, or a Buffer, as it was published. */
  readonly data: T
}

/** A message as the log keeps it: written into its envelope once, and read from there ever after. */
export class Entry {
  readonly seq: number
  readonly channel: string
  readonly time: number
  readonly kind: Kind
  /** The envelope's text: `{"cursor":…,"channel":…,"time":…,"data":…}`. */
  readonly envelope: string
  /** Bytes of the envelope in UTF-8. */
  readonly size: number
  /** What it weighs in the log's byte bound: the envelope (the channel's name is in it) and its key, in bytes. */
  readonly weight: number
  /** Its neighbours in the whole log. */
  older: Entry | undefined = undefined
  newer: Entry | undefined = undefined

  constructor(epoch: string, seq: number, channel: string, time: number, payload: Payload, keySize: number) {
    this.seq = seq
    this.channel = channel
    this.time = time
    this.kind = payload.kind
    this.envelope = `{"cursor":"${epoch}.${seq}","channel":"${channel}","time":${time},"data":${payload.json}}`
    this.size = Buffer.byteLength(this.envelope)
    this.weight = this.size + keySize
  }

  /** The JSON text of `data`. */
  get #data(): string {
    // Neither a cursor nor a channel's name can hold a quote, so that the first match is the member itself.
    const from = this.envelope.indexOf('"data":') + 7
    return this.envelope.slice(from, this.kind === 'bytes' ? -1 - BASE64_MARK.length : -1)
  }

  /** The payload alone, in its raw form: bytes as bytes, JSON and text as their text. */
  get payload(): Buffer | string {
    const data = this.#data
    if (this.kind === 'json') return data
    const text: string = JSON.parse(data)
    return this.kind === 'text' ? text : Buffer.from(text, 'base64')
  }

  /** The payload as a program gets it. */
  get value(): unknown {
    return this.kind === 'json' ? JSON.parse(this.#data) : this.payload
  }
}
