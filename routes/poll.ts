import type { FastifyInstance } from 'fastify'
import { refuseGap } from '../wire/answer.ts'
import { parseAsk } from '../wire/ask.ts'
import { taggedCursor } from '../wire/etag.ts'
import { Bounds, Poll } from '../wire/poll.ts'
import { queryOf } from '../wire/query.ts'
import { compilers, pollSchema } from '../wire/schemas.ts'
import type { Service } from '../wire/service.ts'
import { inTurn } from '../wire/unread.ts'

/** GET /poll: what stands after a cursor, at once. */
export function poll(app: FastifyInstance, service: Service): void {
  const { bus, settings, guard, meter } = service
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
        channels: parseAsk(queryOf(request)).channels,
      })),
      inTurn(bus),
    ],
    handler(request, reply) {
      const ask = parseAsk(queryOf(request))
      const asked = new Poll(service, 'poll', bounds, request, reply, ask)
      // A client that sends a tag of its own means it as its cursor (curl --etag-compare).
      const start = ask.start ?? taggedCursor(request.headers['if-none-match']) ?? 'now'
      const { seq, gap } = bus.log.locate(start, ask.channels)
      if (gap !== undefined) refuseGap(bus.log, reply, gap)
      if (start === 'now') asked.place()
      else if (!asked.answer(seq)) asked.nothing(seq)
    },
  })
}
