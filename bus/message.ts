import { BASE64_MARK, type Kind, type Payload } from './payload.ts'
import { detach, heapBytes, heapBytesOf } from './text.ts'

/** A message as programs receive it. */
export interface Message<T = unknown> {
  /** The message's cursor. A reader resumes after it, on any transport. */
  readonly cursor: string
  readonly channel: string
  /** When the bus accepted it: milliseconds since 1970. */
  readonly time: number
  /** The parsed JSON, a string or a Buffer, depending on the type that was published. */
  readonly data: T
}

/** Bytes of heap per entry beside its envelope: its members, and the heap number of its time. */
const ENTRY = 120

/** Extra bytes of heap of an end: its entry in the map of ends. */
const END = 72

/** Maximum bytes of an envelope beside channel name and data. */
const FRAME = 100

/**
 * Upper bound of the memory that a message will take.
 * @returns bytes
 */
export function weightOf(channel: string, payload: Omit<Payload, 'size'>): number {
  const { json, mark } = payload
  const wide = heapBytes(json) - 16 > json.length + 8
  return (
    ENTRY + (mark === 'end' ? END : 0) + heapBytesOf((FRAME + channel.length + json.length) * (wide ? 2 : 1))
  )
}

/** A message in the log. It is serialised into its envelope once, and parsed from it on demand. */
export class Entry {
  readonly seq: number
  readonly channel: string
  readonly time: number
  readonly kind: Kind
  /** The envelope's text: `{"cursor":…,"channel":…,"time":…,"data":…}`. */
  readonly envelope: string
  /** Bytes of the envelope in UTF-8. */
  readonly size: number
  /** Memory that counts towards `retention.bytes`, in bytes. */
  readonly weight: number
  /** The neighbours in its shelf. */
  before: Entry | undefined = undefined
  behind: Entry | undefined = undefined

  constructor(epoch: string, seq: number, channel: string, time: number, payload: Omit<Payload, 'size'>) {
    this.seq = seq
    this.channel = channel
    this.time = time
    this.kind = payload.kind
    const data = payload.json === '' ? '' : `,"data":${payload.json}`
    this.envelope = detach(`{"cursor":"${epoch}.${seq}","channel":"${channel}","time":${time}${data}}`)
    this.size = Buffer.byteLength(this.envelope)
    const ascii = this.size === this.envelope.length
    this.weight =
      ENTRY + (payload.mark === 'end' ? END : 0) + (ascii ? heapBytesOf(this.size) : heapBytes(this.envelope))
  }

  /** Whether the channel has ended with it. */
  get end(): boolean {
    return false
  }

  /** Whether it carries no data, as only an end may. */
  get bare(): boolean {
    return false
  }

  /** Names the message. */
  get cursor(): string {
    const from = '{"cursor":"'.length
    return this.envelope.slice(from, this.envelope.indexOf('"', from))
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

  /** The message as a program gets it. @param cursor where its reader resumes */
  message(cursor: string): Message {
    const { channel, time, value: data } = this
    return { cursor, channel, time, data }
  }
}

/** The end of a channel, as the log keeps it. Once the channel is reopened it is a message like any other. */
export class End extends Entry {
  /** Whether the channel was reopened. Only the log sets it. */
  reopened = false

  override get end(): boolean {
    return !this.reopened
  }

  override get bare(): boolean {
    return !this.envelope.includes('"data":')
  }

  /** The members of its frame or event. @param cursor the cursor from which the reader continues */
  members(cursor: string): string {
    const from = this.envelope.indexOf('"data":')
    const data = from === -1 ? '' : `,${this.envelope.slice(from, -1)}`
    return `"channel":"${this.channel}","cursor":"${cursor}"${data}`
  }
}
