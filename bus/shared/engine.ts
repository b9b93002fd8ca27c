import type { Accepted } from '../bus.ts'
import type { Cursor } from '../cursor.ts'
import type { Placed } from '../log.ts'
import type { Payload } from '../payload.ts'

/** A message to append. */
export interface Message {
  readonly channel: string
  /** May have a mark. Only a `reopen` or a `delete` is accepted in a channel that has ended. */
  readonly payload: Omit<Payload, 'size'>
  /** An idempotency key: its name, unique over channels and publishers, and a digest of the payload. */
  readonly key?: { readonly name: string; readonly digest: string } | undefined
}

/** Messages that an engine appends atomically. */
export interface Batch {
  /** The writer and the batch's number, from 1. A repeated batch gets the same answer and is not appended again. */
  readonly writer: string
  readonly number: number
  readonly messages: readonly Message[]
  /** The epoch of the writer's log. If the engine does not know it, its history has forked. */
  readonly known: string
}

/** The result of a message: its place, or the reason why it has none. */
export type Verdict = Accepted | 'key reused' | 'keys full' | 'ended'

/** A message in an engine's log. */
export type Stored = Omit<Placed, 'at'>

/** A new epoch that begins after this place. */
export interface Turn extends Cursor {
  readonly turn: true
  /** The previous epoch, which shares the history up to here; undefined if the log started over. */
  readonly parent: string | undefined
}

/** The head of an engine's log. */
export interface State extends Cursor {
  /** The engine's clock: milliseconds since 1970. */
  readonly now: number
}

/** The state of a log beside its messages. */
export interface History extends State {
  /** The seq after which the contiguous tail of the log begins. `kept` returns earlier messages. */
  readonly start: number
  /** Up to 64 past epochs, oldest first, with the seq up to which each shares the present history. */
  readonly ancestors: readonly Cursor[]
  /** The floors of channels, and the floor of unknown channels. */
  readonly floors: ReadonlyMap<string, number>
  readonly forgotten: number
}

/** Messages that no instance keeps: the tail is cut at a place, and some messages before it are moved. */
export interface Trim extends Cursor {
  /** The seqs of messages in the tail up to that place that are still kept, ascending. They move to `kept`. */
  readonly kept: readonly number[]
  /** The seqs of messages to remove from `kept`. */
  readonly gone: readonly number[]
  /** The floors of channels that have lost messages since the last call. */
  readonly floors: ReadonlyMap<string, number>
  readonly forgotten: number
  /**
   * Channels without a message at `head` that the instance has forgotten: `forgotten` is their floor. Their own floors
   * are dropped, unless a later message of theirs is in the log.
   */
  readonly unknown: readonly string[]
  /** The seq up to which the instance has the log. */
  readonly head: number
  /** Maximum number of floors to keep. The lowest ones above it raise the floor of unknown channels. */
  readonly mostFloors: number
}

/** Numbers of readers at an instance, by channel. Those of other channels have not changed. */
export interface Report {
  readonly instance: string
  /** Numbers ascend. A report that comes after a later one is ignored. */
  readonly number: number
  /** Whether earlier reports of the instance are void. A whole report without counts removes the instance. */
  readonly whole: boolean
  /** 0: no readers any more. */
  readonly counts: ReadonlyMap<string, number>
  /** Milliseconds after which the instance's reports are void, unless another one follows. */
  readonly lease: number
}

/** What an instance has reported of a channel. */
export interface Reported {
  readonly instance: string
  readonly readers: number
  /** When its last report came: milliseconds since 1970. */
  readonly at: number
}

/** The result of a read. */
export interface Read {
  readonly items: readonly (Stored | Turn)[]
  /** Number of entries that were omitted, because the caller's log has them. @default 0 */
  readonly omitted?: number
  /** Whether more entries may be available at once. */
  readonly more: boolean
}

/**
 * Keeps a log that several processes share. It assigns contiguous places to messages, and detects that its history may
 * have forked: after a restart, a failover or a restored backup. Then it begins a new epoch at its head before it
 * appends anything.
 *
 * A failed call may be repeated at once. An engine reconnects when it is called, not between calls. An aborted signal
 * means that the caller has given up: the engine must discard the call's connection.
 */
export interface Engine {
  /** Name and address of the engine, for messages. Contains no password. */
  readonly name: string
  /** Loads the client library, outside of any timeout. */
  load?(): Promise<void>
  /**
   * Checks that the engine can serve.
   * @throws TIDINGS_ERR_ENGINE for a permanent error; any other error may be retried
   */
  open(warn: (message: string) => void, signal: AbortSignal): Promise<void>
  /** @throws Refused if nothing was appended; after any other error, that is unknown */
  append(batch: Batch, signal: AbortSignal): Promise<readonly Verdict[]>
  /**
   * Reads entries of the tail after a place, in order, some hundreds at a time. Blocks for up to two seconds if there
   * are none. An unknown place reads from the beginning.
   * @param reached returns the place that the caller's log has reached. Entries of its epoch up to it may be omitted: an
   * instance has its own messages before it reads them.
   */
  read(after: Cursor, signal: AbortSignal, reached?: () => Cursor): Promise<Read>
  /** Reads kept messages before the tail, after a seq, in order, some hundreds at a time. */
  kept(after: number, signal: AbortSignal): Promise<readonly Stored[]>
  /** @param known the epoch of the caller's log: see `Batch` */
  state(known: string | undefined, signal: AbortSignal): Promise<State>
  /** @param known the epoch of the caller's log: see `Batch` */
  history(known: string | undefined, signal: AbortSignal): Promise<History>
  /**
   * Trims nothing if the engine is in another epoch, or would begin one with the next batch.
   * @returns the seq after which the tail begins now; undefined if nothing was trimmed
   */
  trim(trim: Trim, signal: AbortSignal): Promise<number | undefined>
  /**
   * Keeps a report. An engine without `report` and `reported` counts the readers of each instance alone.
   * @returns false if the report is not whole and the earlier ones are void; then nothing is kept
   */
  report?(report: Report, signal: AbortSignal): Promise<boolean>
  /** The readers of a channel at each instance that has a report. */
  reported?(channel: string, signal: AbortSignal): Promise<readonly Reported[]>
  /** Closes the connections. No call is pending. */
  close(): Promise<void>
}

/** The engine refused a batch, for example because its memory is full. Nothing of it is in the log. */
export class Refused extends Error {}
