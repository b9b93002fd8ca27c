import type { FastifyReply, FastifyRequest, onSendHookHandler } from 'fastify'
import type { Batch } from '../../bus/batch.ts'
import type { Gap } from '../../bus/bound.ts'
import { GapError } from '../../bus/errors.ts'
import type { Log } from '../../bus/log.ts'
import type { Entry } from '../../bus/message.ts'
import type { Kind } from '../../bus/payload.ts'
import { page } from './encoders.ts'
import { taggedCursor } from './etag.ts'
import type { OpenConnections } from './open-connections.ts'
import { asIs } from './schemas.ts'

/** On the answers that have it alone. */
const ENDED = 'Tidings-Ended'

const EXPOSED = ['Tidings-Cursor', 'Tidings-Gap', 'ETag', 'Retry-After', 'Preference-Applied']

const RAW_TYPE: Record<Kind, string> = {
  json: 'application/json',
  text: 'text/plain; charset=utf-8',
  bytes: 'application/octet-stream',
}

/**
 * The headers that every answer carries, errors too. A cache that adds If-None-Match by itself, as a browser's does,
 * would lose messages: nothing is stored. What scripts of another origin may read is joined with what CORS has set. A
 * server that goes away ends the connection with the answer: one that is kept alive would hold its close up.
 */
export function commonHeaders(readers: OpenConnections): onSendHookHandler {
  return (request, reply, _payload, done) => {
    if (!String(reply.getHeader('cache-control')).startsWith('no-store'))
      reply.header('cache-control', 'no-store')
    if (request.headers.origin !== undefined) {
      reply.header('access-control-expose-headers', exposed(reply.getHeader('access-control-expose-headers')))
    }
    if (readers.closing && request.raw.httpVersionMajor === 1) reply.header('connection', 'close')
    done()
  }
}

/** What a page of another origin may read: these, and what was allowed before. */
export function exposed(before: number | string | string[] | undefined, ours = EXPOSED): string {
  const names = String(before ?? '')
    .split(',')
    .map((name) => name.trim())
  const known = new Set(names.map((name) => name.toLowerCase()))
  return [...names.filter(Boolean), ...ours.filter((name) => !known.has(name.toLowerCase()))].join(', ')
}

/** @throws TIDINGS_ERR_GAP: 410, with the reason and the place to go on from in the body and in headers */
export function refuseGap(log: Log, reply: FastifyReply, gap: Gap): never {
  const cursor = log.cursor(gap.seq)
  // In headers too: an app may reshape the bodies of its errors.
  reply.header('tidings-gap', gap.reason).header('tidings-cursor', cursor)
  throw new GapError(gap.reason, cursor)
}

/** A page of messages; an empty one gives a client a place to ask from. */
export function sendPage(reply: FastifyReply, batch: Batch): FastifyReply {
  return reply.type('application/json; charset=utf-8').serializer(asIs).send(batch.as(page))
}

/** One payload, alone. No publisher can run script in the app's origin with it. */
export function sendRaw(reply: FastifyReply, entry: Entry, cursor: string): FastifyReply {
  const { payload, kind } = entry
  if (entry.end) tellEnd(reply, entry.channel)
  return reply
    .type(RAW_TYPE[kind])
    .header('tidings-cursor', cursor)
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', 'sandbox')
    .send(typeof payload === 'string' ? Buffer.from(payload) : payload)
}

/** The raw form's one channel has ended, and nothing more comes in it. */
export function sendEnd(reply: FastifyReply, channel: string, cursor: string): FastifyReply {
  tellEnd(reply, channel)
  return reply.code(204).header('tidings-cursor', cursor).send()
}

function tellEnd(reply: FastifyReply, channel: string): void {
  reply.header('tidings-ended', channel)
  const name = 'access-control-expose-headers'
  if (reply.request.headers.origin !== undefined) reply.header(name, exposed(reply.getHeader(name), [ENDED]))
}

/**
 * Nothing came: the client goes on from the head. One that names, in a tag of its own, the cursor that it would get
 * or the one it asked from, gets 304.
 * @param asked the place asked from
 */
export function sendNothing(
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
  asked: number,
): FastifyReply {
  const tag = taggedCursor(request.headers['if-none-match'])
  const unchanged = tag?.epoch === log.epoch && (tag.seq === log.head || tag.seq === asked)
  return reply
    .code(unchanged ? 304 : 204)
    .header('tidings-cursor', log.cursor(log.head))
    .send()
}
