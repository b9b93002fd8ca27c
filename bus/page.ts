import type { Bound } from './bound.ts'
import type { Bus } from './bus.ts'
import { checkChannels } from './channel.ts'
import { parseStart } from './cursor.ts'
import { ERR_CURSOR, ERR_LIMIT, GapError } from './errors.ts'
import type { Message } from './message.ts'

/** The most messages that one page may have. */
const MOST = 1000

/** Bytes of envelopes, about; one message is on a page whatever it weighs. */
const BYTES = 1024 * 1024

export interface ReadOptions {
  /** Where to start: a message's cursor, that of a page, `earliest`, `last:N`, `since:MS`, or `now`. @default 'earliest' */
  cursor?: string
  /** Messages on the page, at most: 1 to 1000. @default 100 */
  limit?: number
}

/** What stands after a place, as `/poll` gives it. */
export interface Page<T = unknown> {
  /** Where to go on: the last message's cursor where there is more, else the log's head. */
  readonly cursor: string
  /** In log order. `end`: its channel has ended with it. */
  readonly messages: readonly (Message<T> & { readonly end?: true })[]
  /** Whether others stand behind it. */
  readonly more: boolean
  /** Those of the channels that have ended there. */
  readonly ended: readonly string[]
}

/**
 * One page of the log.
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
        const { channel, time, end } = entry
        const data = entry.value as T
        return { cursor: batch.cursorOf(entry), channel, time, data, ...(end && { end }) }
      }),
    more: batch.more,
    ended: batch.ended,
  }
}
