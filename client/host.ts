import type { Failure } from './answer.ts'
import type { End, GapReason, Message, Transport } from './types.ts'

/** The feed, as those that work for it see it. */
export interface Host {
  /** The last place that was applied; where to start before there is one. */
  place: string
  /** What is read. */
  channels: readonly string[]
  readonly readyState: number
  /** @param joining it belongs to a replay, and moves no place */
  message(message: Message, joining?: boolean): void
  /** @param channel the one whose replay has the hole @returns milliseconds to wait before the next question */
  gap(reason: GapReason, cursor: string, channel?: string): number
  ended(end: End): void
  /** It reads. */
  opened(): void
  /** It does not read, and tries. @param lost what carried, or was to, has failed */
  tries(wait?: number, lost?: boolean): void
  /** No link until `resume`. */
  hold(why: 'full' | 'joining'): void
  resume(ms: number): void
  fault(error: unknown, transport?: Transport): void
  finish(failure: Failure, error: Error): void
}
