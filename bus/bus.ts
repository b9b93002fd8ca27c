import type { Cursor, Start } from './cursor.ts'
import type { Log } from './log.ts'
import type { Payload } from './payload.ts'

/** The result of a publish. */
export interface Accepted extends Cursor {
  /** The message's place in the log, in the epoch in which it was accepted. */
  readonly epoch: string
  readonly seq: number
  /** When the bus accepted it: milliseconds since 1970. */
  readonly time: number
  /** Whether the key was used before. Then nothing was published, and this is the result of the first publish. */
  readonly repeated: boolean
}

/** The live readers of a channel. */
export interface Occupancy {
  /** Their number at all instances, as far as known: this instance's own, and those that the others have reported. */
  readonly readers: number
  /** When the oldest of these reports was made: milliseconds since 1970. */
  readonly at: number
}

/** What the plugin provides to its bus. */
export interface Host {
  /** Milliseconds within which `open` must resolve. */
  readonly patience: number
  /** Logs a warning. */
  warn(message: string): void
}

/**
 * Decides the place of each message. Buses differ in nothing else: each keeps the tail of its log in this process's
 * memory, where readers read and watch it.
 *
 * The bus suite checks these guarantees:
 * - `publish` resolves once the message has its place and is in `log`. A reader may get the message before that.
 * - Publishes that a caller does not await are placed in the order of the calls.
 * - A publish that rejects has published nothing, unless its error is TIDINGS_ERR_UNAVAILABLE.
 */
export interface Bus {
  readonly log: Log
  /** Whether the bus follows its engine at present. @default true */
  readonly connected?: boolean
  /** Number of messages that are known to be in its engine and are not in `log` yet. @default 0 */
  readonly lag?: number
  /**
   * Loads the log. The plugin calls it before it serves requests. Further calls return the same promise.
   * @throws TIDINGS_ERR_ENGINE if the engine is missing or unsuitable
   */
  open?(host: Host): Promise<void>
  /**
   * Waits until the log can decide whether a reader that starts there has a gap.
   * @returns undefined if it can decide at once
   * @throws TIDINGS_ERR_UNAVAILABLE if it cannot decide in time
   */
  settle?(start: Start): Promise<void> | undefined
  /**
   * @param channel a valid name
   * @param payload of a message, or with a `mark`, which every instance applies at its place in the log
   * @param key an idempotency key of this channel, 1 to 128 characters
   * @param publisher the owner of the key, 1 to 256 characters. Keys of different owners are independent; so are keys
   * without an owner
   * @throws TIDINGS_ERR_CLOSED; TIDINGS_ERR_TOO_LARGE if the log cannot hold the message; TIDINGS_ERR_KEY_REUSED;
   * TIDINGS_ERR_KEYS_FULL; TIDINGS_ERR_ENDED if the channel has ended, unless the payload is a `reopen` or a `delete`
   * or the key is a repeat; TIDINGS_ERR_UNAVAILABLE: the message may have been published or not
   */
  publish(channel: string, payload: Payload, key?: string, publisher?: string): Promise<Accepted>
  /**
   * Counts the live readers of a channel at all instances.
   * @default those of `log`
   * @throws TIDINGS_ERR_UNAVAILABLE
   */
  occupancy?(channel: string): Promise<Occupancy>
  /** Refuses further publishes. May be called more than once. */
  close(): Promise<void>
}
