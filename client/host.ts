import type { Failure } from './answer.ts'
import type { End, GapReason, Message, Transport } from './types.ts'

/** The interface of the feed for its links. */
export interface Host {
  /** Cursor of the last event applied; the start position before the first. */
  place: string
  /** Channels that the feed reads. */
  channels: readonly string[]
  readonly readyState: number
  /** @param joining the message belongs to the replay of one channel and does not move the position */
  message(message: Message, joining?: boolean): void
  /** @param channel the channel of a replay @returns milliseconds to wait before the next request */
  gap(reason: GapReason, cursor: string, channel?: string): number
  ended(end: End): void
  /** A link is in use. */
  opened(): void
  /** The feed is connecting. @param lost whether a connection or an attempt has failed */
  tries(wait?: number, lost?: boolean): void
  /** Closes the links until `resume`. */
  hold(why: 'full' | 'joining'): void
  resume(ms: number): void
  fault(error: unknown, transport?: Transport): void
  finish(failure: Failure, error: Error): void
}
