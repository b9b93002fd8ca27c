import type { Batch } from './batch.ts'
import type { Bound, Gap } from './bound.ts'
import type { Excerpt } from './excerpt.ts'

/** The part of a log that reader groups use. */
export interface ReadableLog {
  /** The seq of the last message. */
  readonly head: number
  /** The gap, if any, between a place and the messages that these channels still hold after it. */
  gapAfter(seq: number, channels: readonly string[], excerpt?: Excerpt): Gap | undefined
  /** The messages of these channels after a place, in log order. */
  read(channels: readonly string[], after: number, bound: Bound, excerpt?: Excerpt): Batch
}
