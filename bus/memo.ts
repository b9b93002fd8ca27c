import type { Batch } from './batch.ts'
import type { Bound } from './bound.ts'

/** Batches that are kept, and bytes of the envelopes in them; one is kept whatever it weighs. */
const MOST = { batches: 8, bytes: 2 * 1024 * 1024 }

interface Kept {
  readonly channels: readonly string[]
  readonly after: number
  readonly bound: Bound
  readonly batch: Batch
}

/**
 * What was read last, for the next reader at the same place, until the log changes. A batch keeps its encoded forms: a
 * page where it was read for a poll, and where it was read for a stream up to six forms of 64 KiB. Their bytes are no
 * part of `retention.bytes`; a payload of line ends, in the raw form of SSE, takes seven times its envelope.
 */
export class Memo {
  #kept: Kept[] = []
  #bytes = 0

  /** The same lists and bounds must come as the same objects. */
  find(channels: readonly string[], after: number, bound: Bound): Batch | undefined {
    for (const kept of this.#kept) {
      if (kept.after === after && kept.bound === bound && kept.channels === channels) return kept.batch
    }
  }

  add(channels: readonly string[], after: number, bound: Bound, batch: Batch): void {
    this.#kept.push({ channels, after, bound, batch })
    this.#bytes += batch.bytes
    while (this.#kept.length > MOST.batches || (this.#kept.length > 1 && this.#bytes > MOST.bytes)) {
      this.#bytes -= this.#kept.shift()!.batch.bytes
    }
  }

  clear(): void {
    if (this.#kept.length === 0) return
    this.#kept = []
    this.#bytes = 0
  }
}
