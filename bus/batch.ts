import type { Entry } from './message.ts'

/** A form in which a batch goes over the wire: a pure function from messages to bytes, or to a text. */
export interface Form<T extends Buffer | string = Buffer> {
  readonly name: string
  encode(batch: Batch): T
}

/**
 * Messages that stand next to each other in what a reader follows. It is encoded at most once for each form, by
 * whoever asks first; all readers that stand at the same place are given the same bytes.
 */
export class Batch {
  readonly epoch: string
  readonly entries: readonly Entry[]
  /** The place after it: the last message's where there is more, else the log's head. */
  readonly end: number
  /** Whether others wait behind it. */
  readonly more: boolean
  #encoded: Map<Form<Buffer | string>, Buffer | string> | undefined

  constructor(epoch: string, entries: readonly Entry[], end: number, more: boolean) {
    this.epoch = epoch
    this.entries = entries
    this.end = end
    this.more = more
  }

  get cursor(): string {
    return `${this.epoch}.${this.end}`
  }

  as<T extends Buffer | string>(form: Form<T>): T {
    this.#encoded ??= new Map()
    // The map holds under a form what that form has made.
    let encoded = this.#encoded.get(form) as T | undefined
    if (encoded === undefined) {
      encoded = form.encode(this)
      this.#encoded.set(form, encoded)
    }
    return encoded
  }
}
