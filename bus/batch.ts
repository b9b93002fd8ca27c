import type { Entry } from './message.ts'

/** A form in which a batch goes over the wire: a pure function from messages to bytes. */
export interface Form {
  readonly name: string
  encode(batch: Batch): Buffer
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
  #encoded: Map<Form, Buffer> | undefined

  constructor(epoch: string, entries: readonly Entry[], end: number, more: boolean) {
    this.epoch = epoch
    this.entries = entries
    this.end = end
    this.more = more
  }

  get cursor(): string {
    return `${this.epoch}.${this.end}`
  }

  as(form: Form): Buffer {
    this.#encoded ??= new Map()
    let bytes = this.#encoded.get(form)
    if (bytes === undefined) {
      bytes = form.encode(this)
      this.#encoded.set(form, bytes)
    }
    return bytes
  }
}
