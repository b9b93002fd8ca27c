import type { FastifyInstance } from 'fastify'
import { refuseGap } from '../http/answer.ts'
import type { Context } from '../http/context.ts'
import { taggedCursor } from '../http/etag.ts'
import { queryOf } from '../http/query.ts'
import { parseReadQuery } from '../http/read-query.ts'
import { compilers, pollSchema } from '../http/schemas.ts'
import { onceSettled } from '../http/settled.ts'
import { inTurn } from '../http/unread.ts'
import { Bounds, Poll } from './poll-request.ts'

/** GET /poll: the messages after a cursor, at once. */
export function poll(app: FastifyInstance, context: Context): void {
  const { bus, settings, guard, meter } = context
  const bounds = new Bounds(settings.poll.maxBytes)

  app.route({
    method: 'GET',
    url: '/poll',
    exposeHeadRoute: true,
    schema: pollSchema,
    ...compilers,
    onRequest: meter?.hook('poll') ?? [],
    preHandler: [
      ...guard.hook((request) => ({
        action: 'subscribe',
        channels: parseReadQuery(queryOf(request)).channels,
      })),
      inTurn(bus),
    ],
    handler(request, reply) {
      const query = parseReadQuery(queryOf(request))
      const asked = new Poll(context, 'poll', bounds, request, reply, query)
      // A client that sends an ETag means it as its cursor (curl --etag-compare).
      const start = query.start ?? taggedCursor(request.headers['if-none-match']) ?? 'now'
      const answer = () => {
        const place = bus.log.locate(start, query.channels)
        if (place.gap !== undefined) refuseGap(bus.log, reply, place.gap)
        if (start === 'now') asked.place()
        else if (!asked.answer(place)) asked.nothing(place.seq)
      }
      onceSettled(context, request, start, answer, (error) => reply.send(error))
    },
  })
}
