import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Batch } from '../../bus/batch.ts'
import type { Log } from '../../bus/log.ts'
import type { Entry } from '../../bus/message.ts'
import type { Kind } from '../../bus/payload.ts'
import { exposed } from '../http/answer.ts'
import { taggedCursor } from '../http/etag.ts'
import { asIs } from '../http/schemas.ts'
import { page } from './encoder.ts'

/** Headers of some answers. */
const ENDED = 'Tidings-Ended'

const RAW_TYPE: Record<Kind, string> = {
  json: 'application/json',
  text: 'text/plain; charset=utf-8',
  bytes: 'application/octet-stream',
}

/** Answers with a page of messages. An empty page gives the client its first cursor. */
export function sendPage(reply: FastifyReply, batch: Batch): FastifyReply {
  return reply.type('application/json; charset=utf-8').serializer(asIs).send(batch.as(page))
}

/** Answers with one raw payload. Its headers keep it from running script in the app's origin. */
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

/** Answers in the raw form that the channel has ended. */
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
 * Answers that there are no messages: the client continues from the head. If `If-None-Match` names the cursor of this
 * answer or that of the request, the answer is 304.
 * @param asked the place of the request's cursor
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
