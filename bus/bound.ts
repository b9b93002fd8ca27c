import type { GapReason } from './errors.ts'

/** A hole: between a cursor and this place something is missing, after it all is there. */
export interface Gap {
  readonly reason: GapReason
  readonly seq: number
}

/** How much one read may return. */
export interface Bound {
  /** Messages. */
  readonly limit: number
  /** Bytes of envelopes, with one byte between; one message is returned whatever it weighs. */
  readonly bytes: number
  /** The last seq that counts. @default the head */
  readonly until?: number
}
