import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Batch } from '../../bus/batch.ts'
import type { Log } from '../../bus/log.ts'
import type { Entry } from '../../bus/message.ts'
import type { Kind } from '../../bus/payload.ts'
import { exposed } from '../http/answer.ts'
import { taggedCursor } from '../http/etag.ts'
import { asIs } from '../http/schemas.ts'
import { page } from './encoder.ts'

/** On the answers that have it alone. */
const ENDED = 'Tidings-Ended'

const RAW_TYPE: Record<Kind, string> = {
  json: 'application/json',
  text: 'text/plain; charset=utf-8',
  bytes: 'application/octet-stream',
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
