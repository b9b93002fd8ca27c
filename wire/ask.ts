import { checkChannel, checkChannels, DEFAULT_CHANNEL } from '../bus/channel.ts'
import { parseStart, type Start } from '../bus/cursor.ts'
import { ERR_CHANNEL, ERR_CURSOR, ERR_FORMAT, ERR_LIMIT, ERR_WAIT } from '../bus/errors.ts'
import { preferredWait } from './prefer.ts'

/** What a reader's query asks for. */
export interface Ask {
  /** Sorted, each once. */
  readonly channels: readonly string[]
  /** Undefined where the query names no cursor. */
  readonly start: Start | undefined
  /** Whether payloads go out alone, without an envelope. */
  readonly raw: boolean
}

type Query = Readonly<Record<string, unknown>>

const BY_DEFAULT: readonly string[] = [DEFAULT_CHANNEL]

/**
 * @param query as Fastify has parsed it
 * @param lastEventId what an EventSource sends: it wins over the query, since a browser that reconnects repeats its
 * old URL
 * @throws TIDINGS_ERR_CHANNEL, TIDINGS_ERR_CURSOR, TIDINGS_ERR_FORMAT
 */
export function parseAsk(query: unknown, lastEventId?: unknown): Ask {
  const { channel, cursor, format } = query as Query
  const channels =
    channel === undefined
      ? BY_DEFAULT
      : Array.isArray(channel)
        ? checkChannels(channel)
        : [checkChannel(channel)]
  return { channels, start: startOf(lastEventId || cursor), raw: isRaw(format, channels) }
}

function startOf(cursor: unknown): Start | undefined {
  if (cursor === undefined) return undefined
  const start = typeof cursor === 'string' ? parseStart(cursor) : undefined
  if (start === undefined) throw new ERR_CURSOR()
  return start
}

function isRaw(format: unknown, channels: readonly string[]): boolean {
  if (format === undefined) return false
  if (format !== 'raw') throw new ERR_FORMAT("must be 'raw', or be left out")
  if (channels.length !== 1) throw new ERR_FORMAT("'raw' goes with one channel")
  return true
}

/** A socket's ask: `channel=` alone starts with no channel. */
export function parseSocketAsk(query: unknown): Ask {
  const { channel, ...others } = query as Query
  if (channel !== '') return parseAsk(query)
  const ask = { ...parseAsk(others), channels: [] }
  if (ask.raw) throw new ERR_FORMAT("'raw' goes with one channel")
  return ask
}

/** The one channel that a publish names. @throws TIDINGS_ERR_CHANNEL */
export function parseChannel(query: unknown): string {
  const { channel } = query as Query
  if (channel === undefined) return DEFAULT_CHANNEL
  if (Array.isArray(channel)) throw new ERR_CHANNEL('goes once with a publish')
  return checkChannel(channel)
}

const WHOLE = /^[0-9]{1,15}$/

/** @throws TIDINGS_ERR_LIMIT */
export function parseLimit(query: unknown, byDefault: number, most: number): number {
  const { limit } = query as Query
  if (limit === undefined) return Math.min(byDefault, most)
  const number = typeof limit === 'string' && WHOLE.test(limit) ? Number(limit) : 0
  if (number < 1 || number > most) throw new ERR_LIMIT(most)
  return number
}

/** How long to hold, in seconds, and whether that is what a Prefer header got. */
export interface Wait {
  readonly seconds: number
  readonly preferred: boolean
}

/**
 * @param prefer the Prefer header; a malformed one is ignored, and so is any where the query names a wait
 * @throws TIDINGS_ERR_WAIT
 * @see RFC 7240 section 4.3
 */
export function parseWait(query: unknown, prefer: unknown, byDefault: number, most: number): Wait {
  const { wait } = query as Query
  if (wait === undefined) {
    const preferred = typeof prefer === 'string' ? preferredWait(prefer) : undefined
    return { seconds: Math.min(preferred ?? byDefault, most), preferred: preferred !== undefined }
  }
  if (typeof wait !== 'string' || !WHOLE.test(wait)) throw new ERR_WAIT()
  return { seconds: Math.min(Number(wait), most), preferred: false }
}
