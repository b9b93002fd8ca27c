import { checkChannel, checkChannels, DEFAULT_CHANNEL } from '../../bus/channel.ts'
import { type Cursor, parseCursor, parseStart, type Start } from '../../bus/cursor.ts'
import { ERR_CHANNEL, ERR_CURSOR, ERR_END, ERR_FORMAT, ERR_LIMIT } from '../../bus/errors.ts'
import type { Query } from './query.ts'

/** The parsed query of a reader. */
export interface ReadQuery {
  /** Sorted and unique. */
  readonly channels: readonly string[]
  /** Undefined if the query has no cursor. */
  readonly start: Start | undefined
  /** Whether payloads are sent without their envelopes. */
  readonly raw: boolean
}

const BY_DEFAULT: readonly string[] = [DEFAULT_CHANNEL]

/** @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR, TIDINGS_ERR_FORMAT */
export function parseReadQuery(query: Query): ReadQuery {
  const { cursor } = query
  const start = typeof cursor === 'string' ? parseStart(cursor) : undefined
  if (cursor !== undefined && start === undefined) throw new ERR_CURSOR()
  return askFrom(query, start)
}

/** A cursor of an unknown epoch. */
const UNKNOWN: Cursor = { epoch: 'none', seq: 0 }

/**
 * The query of an SSE stream. An EventSource that reconnects repeats its old URL, and sends its place in Last-Event-ID.
 * Polyfills that cannot set headers send `lastEventId`. An invalid value is a gap, since a 400 would end an EventSource
 * for good.
 * @param lastEventId the header
 * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR, TIDINGS_ERR_FORMAT
 */
export function parseStreamQuery(query: Query, lastEventId: string | string[] | undefined): ReadQuery {
  const id = [lastEventId || query.lastEventId].flat().at(-1)
  return id ? askFrom(query, parseCursor(id) ?? UNKNOWN) : parseReadQuery(query)
}

function askFrom({ channel, format }: Query, start: Start | undefined): ReadQuery {
  const channels =
    channel === undefined
      ? BY_DEFAULT
      : typeof channel === 'string'
        ? [checkChannel(channel)]
        : checkChannels(channel)
  return { channels, start, raw: isRaw(format, channels) }
}

function isRaw(format: unknown, channels: readonly string[]): boolean {
  if (format === undefined) return false
  if (format !== 'raw') throw new ERR_FORMAT("must be 'raw', given once, or omitted")
  if (channels.length !== 1) throw new ERR_FORMAT("with 'raw' requires exactly one channel")
  return true
}

/** The query of a socket. An empty `channel=` starts without a channel. */
export function parseSocketQuery(query: Query): ReadQuery {
  const { channel, ...others } = query
  if (channel !== '') return parseReadQuery(query)
  const ask = { ...parseReadQuery(others), channels: [] }
  if (ask.raw) throw new ERR_FORMAT("with 'raw' requires exactly one channel")
  return ask
}

/** The channel of a publish. @throws TIDINGS_ERR_CHANNEL */
export function parseChannel(query: Query): string {
  const { channel } = query
  if (channel === undefined) return DEFAULT_CHANNEL
  if (typeof channel === 'object') throw new ERR_CHANNEL('must be given once in a publish')
  return checkChannel(channel)
}

/** Whether a publish ends its channel. @throws TIDINGS_ERR_END */
export function parseEnd({ end }: Query): boolean {
  if (end === undefined || end === 'false') return false
  if (end !== '' && end !== 'true') throw new ERR_END()
  return true
}

/** Parses an integer. */
export const WHOLE = /^[0-9]+$/

/** @throws TIDINGS_ERR_LIMIT */
export function parseLimit(query: Query, byDefault: number, most: number): number {
  const { limit } = query
  if (limit === undefined) return Math.min(byDefault, most)
  const number = typeof limit === 'string' && WHOLE.test(limit) ? Number(limit) : 0
  if (number < 1 || number > most) throw new ERR_LIMIT(most)
  return number
}
