import type { Batch } from './batch.ts'
import type { Bound } from './bound.ts'

/** Maximum number of batches, and of bytes in their envelopes. The newest batch is kept at any size. */
const MOST = { batches: 8, bytes: 2 * 1024 * 1024 }

interface Kept {
  readonly channels: readonly string[]
  readonly after: number
  readonly bound: Bound
  readonly batch: Batch
}

/**
 * Caches the last batches for other readers at the same place, until the log changes. A batch holds its encodings: one
 * page for a poll, or up to six encodings of 64 KiB for streams. They do not count towards `retention.bytes`. A payload
 * of line feeds takes seven times its envelope in the raw form of SSE.
 */
export class Memo {
  #kept: Kept[] = []
  #bytes = 0

  /** Compares channels and bound by identity. */
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
