import type { Cursor, Start } from './cursor.ts'
import type { Log } from './log.ts'
import type { Payload } from './payload.ts'

/** What a publisher is told. */
export interface Accepted extends Cursor {
  /** The message's place in the log, in the epoch in which it was accepted. */
  readonly epoch: string
  readonly seq: number
  /** When the bus accepted it: milliseconds since 1970. */
  readonly time: number
  /** Whether this key was published before: then nothing was, and this is the first answer. */
  readonly repeated: boolean
}

/** What a bus gets to know of where it runs. */
export interface Host {
  /** Milliseconds that its opening may take. */
  readonly patience: number
  /** Tells whoever runs it of what is no error. */
  warn(message: string): void
}

/**
 * Where messages get their place. Buses differ in nothing else: each keeps the tail of its log in this process's
 * memory, and readers read and watch it there.
 *
 * What every bus holds to, and the bus suite checks:
 * - `publish` resolves once the message has its place and is in `log`; a reader may have it before.
 * - Publishes of one caller that does not wait are placed in the order of the calls.
 * - A publish that rejects has published nothing, unless the error says that this is not known.
 */
export interface Bus {
  readonly log: Log
  /** Whether its log is followed, where that can break off. @default true */
  readonly connected?: boolean
  /**
   * Called before anything is answered; resolves once the log has what is kept. It may be called again: all wait for
   * the same.
   * @throws where it can't serve: TIDINGS_ERR_ENGINE
   */
  open?(host: Host): Promise<void>
  /**
   * Sees to it that the log can tell whether a reader who starts there has a gap.
   * @returns undefined where it can now, at no cost
   * @throws TIDINGS_ERR_UNAVAILABLE where it can't in time
   */
  settle?(start: Start): Promise<void> | undefined
  /**
   * @param channel a valid name
   * @param payload a message's, or one with a `mark`: every instance sees what it does at its place in the log
   * @param key an idempotency key of this channel, 1 to 128 characters
   * @param publisher whose key it is, 1 to 256 characters: keys of different publishers never meet, nor do they meet
   * those of nobody
   * @throws TIDINGS_ERR_CLOSED, TIDINGS_ERR_TOO_LARGE where the log could not hold it,
   * TIDINGS_ERR_KEY_REUSED, TIDINGS_ERR_KEYS_FULL, TIDINGS_ERR_ENDED for all but a `reopen` or a `delete` where the channel has ended;
   * not for the repeat of a key; TIDINGS_ERR_UNAVAILABLE: then it may have been published or not
   */
  publish(channel: string, payload: Payload, key?: string, publisher?: string): Promise<Accepted>
  /** Publishes are refused from then on. Closing twice is harmless. */
  close(): Promise<void>
}
