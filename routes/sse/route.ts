import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { takesGzip } from '../http/accept-encoding.ts'
import { exposed, joined } from '../http/answer.ts'
import { Compressor } from '../http/compressor.ts'
import { Connection } from '../http/connection.ts'
import type { Context } from '../http/context.ts'
import { HELD } from '../http/held.ts'
import { queryOf } from '../http/query.ts'
import { parseStreamQuery, type ReadQuery } from '../http/read-query.ts'
import { retryRefused } from '../http/retry.ts'
import { asIs, compilers, sseSchema } from '../http/schemas.ts'
import { onceSettled } from '../http/settled.ts'
import { EventStream } from './event-stream.ts'
import { gzipEncoders } from './gzip.ts'

const HEAD = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
}

/** GET /sse: the messages after a cursor, then new ones, as server-sent events. */
export function sse(app: FastifyInstance, context: Context): void {
  const { guard, readers, meter, settings } = context
  const { compression } = settings
  const encoders = compression && gzipEncoders(new Compressor(compression.threshold))

  app.route({
    method: 'GET',
    url: '/sse',
    exposeHeadRoute: false,
    schema: sseSchema,
    config: HELD,
    ...compilers,
    onRequest: meter?.hook('sse') ?? [],
    preHandler: guard.hook((request) => ({
      action: 'subscribe',
      channels: parseStreamQuery(queryOf(request), request.headers['last-event-id']).channels,
    })),
    handler(request, reply) {
      const query = parseStreamQuery(queryOf(request), request.headers['last-event-id'])
      // The client may have left while earlier hooks ran.
      if (Connection.of(request.raw).gone) return
      reply.headers(HEAD)
      if (encoders) reply.header('vary', joined(reply.getHeader('vary'), ['Accept-Encoding']))
      // A native EventSource does not reconnect after a 503.
      const refuse = (why: 'limit' | 'unavailable') =>
        reply.header('tidings-refused', why).serializer(asIs).send(`retry: ${retryRefused()}\n`)
      const open = () => {
        if (Connection.of(request.raw).gone) return
        if (readers.refusal(request) === undefined) stream(request, reply, query)
        else refuse('limit')
      }
      onceSettled(context, request, query.start, open, () => refuse('unavailable'))
    },
  })

  function stream(request: FastifyRequest, reply: FastifyReply, query: ReadQuery): void {
    // No onSend hook runs from here on. Headers that CORS and other plugins have set are sent with our own.
    reply.hijack()
    const headers = reply.getHeaders() as OutgoingHttpHeaders
    if (request.headers.origin !== undefined) {
      headers['access-control-expose-headers'] = exposed(headers['access-control-expose-headers'])
    }
    const gzip = takesGzip(request.headers['accept-encoding']) ? encoders : undefined
    if (gzip) headers['content-encoding'] = 'gzip'
    new EventStream(context, request, reply.raw, query, headers, gzip)
  }
}
