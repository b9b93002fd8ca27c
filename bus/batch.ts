import type { Excerpt } from './excerpt.ts'
import type { Entry } from './message.ts'

/** Encodes a batch for the wire. `encode` is a pure function. */
export interface Encoder<T = Buffer> {
  readonly name: string
  /** Whether it compresses. That takes several times as long. */
  readonly compresses?: true
  encode(batch: Batch): T
}

const NONE: readonly string[] = []

/**
 * Consecutive messages of a set of channels. Each encoder runs at most once per batch, for the first reader that needs
 * it: all readers at the same place get the same bytes.
 */
export class Batch {
  readonly epoch: string
  readonly entries: readonly Entry[]
  /** The place after the batch: the last message if there is more, else the log's head. */
  readonly end: number
  /** Whether more messages follow. */
  readonly more: boolean
  /** Bytes of the envelopes, plus one separator between each two. */
  readonly bytes: number
  /** The channels that have ended at `end`. */
  readonly ended: readonly string[]
  /** Set if the reader started with `last:N` or `since:MS`. */
  readonly #excerpt: Excerpt | undefined
  #encoded: Map<Encoder<unknown>, unknown> | undefined

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

  /** The cursor of a message of this batch. */
  cursorOf(entry: Entry): string {
    return this.#chosen(entry.seq) ?? entry.cursor
  }

  /** The cursor of a place, as long as it must carry the excerpt. */
  #chosen(place: number): string | undefined {
    return this.#excerpt !== undefined && place < this.#excerpt.end ? this.#excerpt.cursor(place) : undefined
  }

  /** The envelope of a message, with the cursor from which its reader can resume. */
  envelopeOf(entry: Entry): string {
    const { envelope } = entry
    const chosen = this.#chosen(entry.seq)
    return chosen === undefined ? envelope : `{"cursor":"${chosen}"${envelope.slice(envelope.indexOf(','))}`
  }

  /** Number of messages. An end is an entry, but no message. */
  get messages(): number {
    let count = 0
    for (const entry of this.entries) if (!entry.end) count++
    return count
  }

  /** Whether the batch has not been encoded yet, by this encoder, or without one by any. */
  fresh(encoder?: Encoder<unknown>): boolean {
    return encoder === undefined ? this.#encoded === undefined : this.#encoded?.has(encoder) !== true
  }

  as<T>(encoder: Encoder<T>): T {
    this.#encoded ??= new Map()
    // Each value has the type of its encoder.
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
