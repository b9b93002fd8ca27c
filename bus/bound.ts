import type { GapReason } from './errors.ts'

/** A gap: messages are missing between a cursor and this place; none is missing after it. */
export interface Gap {
  readonly reason: GapReason
  readonly seq: number
}

/** Limits of one read. */
export interface Bound {
  /** Maximum number of messages. */
  readonly limit: number
  /** Maximum bytes of envelopes, with one separator between each two. The first message is returned at any size. */
  readonly bytes: number
  /** The last seq to return. @default the head */
  readonly until?: number
}
