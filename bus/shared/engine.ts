import type { Accepted } from '../bus.ts'
import type { Cursor } from '../cursor.ts'
import type { Placed } from '../log.ts'
import type { Payload } from '../payload.ts'

/** A message that an engine is to give a place. */
export interface Message {
  readonly channel: string
  /** It may have a mark: nothing but a `reopen` or a `delete` gets a place in a channel that has ended. */
  readonly payload: Omit<Payload, 'size'>
  /** An idempotency key: its name, which no other channel's or publisher's has, and what tells payloads apart. */
  readonly key?: { readonly name: string; readonly digest: string } | undefined
}

/** Messages that an engine appends in one step: all of them, or none. */
export interface Batch {
  /** Who sends it, and which of its batches it is, from 1. One that comes again is answered again, and not appended. */
  readonly writer: string
  readonly number: number
  readonly messages: readonly Message[]
  /** The epoch that the writer's log is in: where the engine has never heard of it, its history has forked. */
  readonly known: string
}

/** The answer to a message: its place, or why it has none. */
export type Verdict = Accepted | 'key reused' | 'keys full' | 'ended'

/** A message as an engine keeps it. */
export type Stored = Omit<Placed, 'at'>

/** A new epoch begins behind this place. */
export interface Turn extends Cursor {
  readonly turn: true
  /** The epoch before it, with which it has all up to here in common; undefined where the log started over. */
  readonly parent: string | undefined
}

/** Where an engine's log stands. */
export interface State extends Cursor {
  /** The engine's clock: milliseconds since 1970. */
  readonly now: number
}

/** All that an instance must know of a log beside its messages. */
export interface History extends State {
  /** The seq behind which the log's tail begins, which has no hole. What is kept of before stands elsewhere: `kept`. */
  readonly start: number
  /** The epochs before the present one, the oldest first, 64 at most, and the seq up to which each is still true. */
  readonly ancestors: readonly Cursor[]
  /** The floors of channels that have lost messages, and that of all others that may have. */
  readonly floors: ReadonlyMap<string, number>
  readonly forgotten: number
}

/** What no instance needs any more: what stands up to a place leaves the log's tail, but for some. */
export interface Trim extends Cursor {
  /** The seqs of messages in the tail, up to that place, that some channels still keep, ascending. They stay elsewhere. */
  readonly kept: readonly number[]
  /** Those of messages that stay elsewhere, and are not kept any more. */
  readonly gone: readonly number[]
  /** Channels that have lost messages since the last time. */
  readonly floors: ReadonlyMap<string, number>
  readonly forgotten: number
  /** Floors that need be kept apart; the lowest of more become those of all others. */
  readonly mostFloors: number
}

/** What was read. */
export interface Read {
  readonly items: readonly (Stored | Turn)[]
  /** Whether more may be there already. */
  readonly more: boolean
}

/**
 * What keeps a log that several processes share. It gives messages their places, in one order and without a hole, and
 * it notices where its own history may have forked: after a restart, a failover, a restored copy. Then it begins a new
 * epoch at the head that it finds, before it appends anything.
 *
 * A call that fails may be made again at once, on a new connection if need be: an engine reconnects by itself when it
 * is next called, and not between calls. A signal that aborts says that the answer is not waited for any more: the
 * connection that it was due on is not to be used again.
 */
export interface Engine {
  /** What it is, and where, for messages: no passwords. */
  readonly name: string
  /** Loads the code that it needs, which takes none of the time that an answer has. */
  load?(): Promise<void>
  /**
   * Looks whether it can serve.
   * @throws TIDINGS_ERR_ENGINE where it never will; anything else where it is worth another try
   */
  open(warn: (message: string) => void, signal: AbortSignal): Promise<void>
  /** @throws Refused where it has appended nothing and will not for now; anything else where that is not known */
  append(batch: Batch, signal: AbortSignal): Promise<readonly Verdict[]>
  /**
   * What stands after a place in the tail, in order, some hundreds at a time; waits up to two seconds for something to
   * come. From a place that it does not know, it reads from the beginning.
   */
  read(after: Cursor, signal: AbortSignal): Promise<Read>
  /** What is kept after a seq, of before the tail, in order, some hundreds at a time. */
  kept(after: number, signal: AbortSignal): Promise<readonly Stored[]>
  /** @param known the epoch that the log is in: see `Batch` */
  state(known: string | undefined, signal: AbortSignal): Promise<State>
  /** @param known the epoch that the log is in: see `Batch` */
  history(known: string | undefined, signal: AbortSignal): Promise<History>
  /**
   * Trims nothing where the engine's epoch is another, or would be with the next batch.
   * @returns the seq behind which the tail begins now; undefined where it has trimmed nothing
   */
  trim(trim: Trim, signal: AbortSignal): Promise<number | undefined>
  /** No call is under way any more. */
  close(): Promise<void>
}

/** An engine has refused to append, as one does whose memory is full: nothing of the batch is in its log. */
export class Refused extends Error {}
