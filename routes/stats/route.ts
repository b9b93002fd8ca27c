import type { FastifyInstance } from 'fastify'
import type { Context } from '../http/context.ts'
import { asIs, compilers, statsSchema } from '../http/schemas.ts'

/** GET /stats: figures of the log, of each transport and of the process. */
export function stats(app: FastifyInstance, { guard, figures }: Context): void {
  app.route({
    method: 'GET',
    url: '/stats',
    exposeHeadRoute: false,
    schema: statsSchema,
    ...compilers,
    preHandler: guard.hook(() => ({ action: 'stats', channels: [] })),
    handler(_request, reply) {
      reply.type('application/json; charset=utf-8').serializer(asIs).send(JSON.stringify(figures.stats))
    },
  })
}
