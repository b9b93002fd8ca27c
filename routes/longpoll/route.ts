import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Place } from '../../bus/log.ts'
import { refuseGap } from '../http/answer.ts'
import { Connection } from '../http/connection.ts'
import type { Context } from '../http/context.ts'
import { HELD } from '../http/held.ts'
import { queryOf } from '../http/query.ts'
import { parseReadQuery } from '../http/read-query.ts'
import { compilers, longpollSchema } from '../http/schemas.ts'
import { onceSettled } from '../http/settled.ts'
import { mustWait, waitTurn } from '../http/unread.ts'
import { Bounds, Poll } from '../poll/poll-request.ts'
import { holdPoll } from './held-poll.ts'
import { parseWait } from './wait.ts'

/** Nobody else would catch an error that is thrown after the handler has returned. */
function attempt(reply: FastifyReply, answer: () => void): void {
  try {
    answer()
  } catch (error) {
    reply.send(error)
  }
}

/** GET /longpoll: the messages after a cursor, as soon as there are some. */
export function longpoll(app: FastifyInstance, context: Context): void {
  const { bus, settings, guard, meter } = context
  const { handlerTimeout } = app.initialConfig as { handlerTimeout?: number }
  const { wait, maxWait } = settings.longpoll
  const bounds = new Bounds(settings.poll.maxBytes)

  app.route({
    method: 'GET',
    url: '/longpoll',
    exposeHeadRoute: false,
    schema: longpollSchema,
    config: HELD,
    ...compilers,
    // Fastify's handler timeout excludes the time for which a request is held.
    ...(handlerTimeout && { handlerTimeout: Math.min(handlerTimeout + maxWait * 1000, 0x7fff_ffff) }),
    onRequest: meter?.hook('longpoll') ?? [],
    preHandler: guard.hook((request) => ({
      action: 'subscribe',
      channels: parseReadQuery(queryOf(request)).channels,
    })),
    handler(request, reply) {
      const query = parseReadQuery(queryOf(request))
      const asked = new Poll(context, 'longpoll', bounds, request, reply, query)
      const { start, channels } = query
      const { seconds, preferred } = parseWait(queryOf(request), request.headers.prefer, wait, maxWait)
      if (start === undefined) {
        // A client without a cursor gets one at once.
        asked.place()
        return
      }
      if (preferred) reply.header('preference-applied', `wait=${seconds}`)
      const answer = (place: Place) => {
        if (Connection.of(request.raw).gone) return
        asked.noteReturn()
        if (place.gap !== undefined) refuseGap(bus.log, reply, place.gap)
        if (!asked.answer(place)) holdPoll(context, asked, place.seq, seconds * 1000)
      }
      const go = () => {
        const { epoch, head: seq } = bus.log
        const from = start === 'now' ? { epoch, seq } : start
        const place = bus.log.locate(from, channels)
        // A poll that finds nothing is held in the same turn, so it misses no message.
        if (!mustWait(bus, reply.raw) || place.gap !== undefined || !asked.finds(place)) answer(place)
        // The log may begin a new epoch meanwhile.
        else waitTurn(bus, reply.raw, () => attempt(reply, () => answer(bus.log.locate(from, channels))))
      }
      onceSettled(context, request, start, go, (error) => reply.send(error))
    },
  })
}
