import type { Excerpt } from './excerpt.ts'
import type { Entry } from './message.ts'

/** A form in which a batch goes over the wire: a pure function from messages to bytes, or to a text. */
export interface Encoder<T extends Buffer | string = Buffer> {
  readonly name: string
  encode(batch: Batch): T
}

const NONE: readonly string[] = []

/**
 * Messages that stand next to each other in what a reader follows. It is encoded at most once by each encoder, by
 * whoever asks first; all readers that stand at the same place are given the same bytes.
 */
export class Batch {
  readonly epoch: string
  readonly entries: readonly Entry[]
  /** The place after it: the last message's where there is more, else the log's head. */
  readonly end: number
  /** Whether others wait behind it. */
  readonly more: boolean
  /** Bytes of its envelopes, and one between each two. */
  readonly bytes: number
  /** Those of the channels that have ended, at the place after it. */
  readonly ended: readonly string[]
  /** Where only some of what stands there was asked for. */
  readonly #excerpt: Excerpt | undefined
  #encoded: Map<Encoder<Buffer | string>, Buffer | string> | undefined

  constructor(
    epoch: string,
    entries: readonly Entry[],
    end: number,
    more: boolean,
    bytes = sizeOf(entries),
    ended = NONE,
    excerpt?: Excerpt,
  ) {
    this.epoch = epoch
    this.entries = entries
    this.end = end
    this.more = more
    this.bytes = bytes
    this.ended = ended
    this.#excerpt = excerpt
  }

  get cursor(): string {
    return this.more
      ? this.cursorOf(this.entries.at(-1)!)
      : (this.#chosen(this.end) ?? `${this.epoch}.${this.end}`)
  }

  /** The cursor of one of its messages. */
  cursorOf(entry: Entry): string {
    return this.#chosen(entry.seq) ?? entry.cursor
  }

  /** The cursor of a place as long as it needs the choice. */
  #chosen(place: number): string | undefined {
    return this.#excerpt !== undefined && place < this.#excerpt.end ? this.#excerpt.cursor(place) : undefined
  }

  /** The envelope of one of its messages, with the cursor that its reader can go on from. */
  envelopeOf(entry: Entry): string {
    const { envelope } = entry
    const chosen = this.#chosen(entry.seq)
    return chosen === undefined ? envelope : `{"cursor":"${chosen}"${envelope.slice(envelope.indexOf(','))}`
  }

  /** How many of its entries are messages: an end is none. */
  get messages(): number {
    let count = 0
    for (const entry of this.entries) if (!entry.end) count++
    return count
  }

  /** Whether nobody has encoded it yet. */
  get fresh(): boolean {
    return this.#encoded === undefined
  }

  as<T extends Buffer | string>(encoder: Encoder<T>): T {
    this.#encoded ??= new Map()
    // The map holds under an encoder what it has made.
    let encoded = this.#encoded.get(encoder) as T | undefined
    if (encoded === undefined) {
      encoded = encoder.encode(this)
      this.#encoded.set(encoder, encoded)
    }
    return encoded
  }
}

function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { size }) => sum + size + 1, 0)
}
