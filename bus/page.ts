import type { Bound } from './bound.ts'
import type { Bus } from './bus.ts'
import { checkChannels } from './channel.ts'
import { parseStart } from './cursor.ts'
import { ERR_CURSOR, ERR_LIMIT, GapError } from './errors.ts'
import type { Message } from './message.ts'

/** Maximum messages per page. */
const MOST = 1000

/** Approximate maximum bytes of envelopes per page. The first message is returned at any size. */
const BYTES = 1024 * 1024

export interface ReadOptions {
  /** Where to start: a cursor of a message or a page, `earliest`, `last:N`, `since:MS` or `now`. @default 'earliest' */
  cursor?: string
  /** Maximum messages on the page, 1 to 1000. @default 100 */
  limit?: number
}

/** A page of messages, as in an answer of `/poll`. */
export interface Page<T = unknown> {
  /** The cursor of the next page: the last message's if there is more, else the log's head. */
  readonly cursor: string
  /** In log order. `end` marks the data with which a channel ended. */
  readonly messages: readonly (Message<T> & { readonly end?: true })[]
  /** Whether more messages follow. */
  readonly more: boolean
  /** The channels that have ended at the page's cursor. */
  readonly ended: readonly string[]
}

/**
 * Reads one page of the log.
 * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR, TIDINGS_ERR_LIMIT, TIDINGS_ERR_GAP, TIDINGS_ERR_UNAVAILABLE
 */
export async function readPage<T>(
  bus: Pick<Bus, 'log' | 'settle'>,
  channel: string | readonly string[],
  { cursor = 'earliest', limit = 100 }: ReadOptions,
): Promise<Page<T>> {
  const { log } = bus
  const channels = checkChannels(typeof channel === 'string' ? [channel] : channel)
  const start = parseStart(cursor)
  if (start === undefined) throw new ERR_CURSOR()
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST) throw new ERR_LIMIT(MOST)
  await bus.settle?.(start)
  const { seq, gap, excerpt } = log.locate(start, channels)
  if (gap !== undefined) throw new GapError(gap.reason, log.cursor(gap.seq))
  const bound: Bound = { limit, bytes: BYTES }
  const batch = log.read(channels, seq, bound, excerpt)
  log.turns.charge(batch)
  return {
    cursor: batch.cursor,
    messages: batch.entries
      .filter(({ bare }) => !bare)
      .map((entry) => {
        const message = entry.message(batch.cursorOf(entry)) as Message<T>
        return entry.end ? { ...message, end: true as const } : message
      }),
    more: batch.more,
    ended: batch.ended,
  }
}
