import type { FastifyInstance } from 'fastify'
import { checkKey } from '../../bus/idempotency-keys.ts'
import { endPayload } from '../../bus/payload.ts'
import { bodyPayload, checkEncoding, checkSize } from '../http/body.ts'
import type { Context } from '../http/context.ts'
import { faultOf } from '../http/guard.ts'
import { queryOf } from '../http/query.ts'
import { parseChannel, parseEnd } from '../http/read-query.ts'
import { withRetryAfter } from '../http/retry.ts'
import { asIs, compilers, publishSchema } from '../http/schemas.ts'

/** POST /publish: publishes the body. The route does not exist if clients may not publish. */
export function publish(app: FastifyInstance, { bus, settings, guard }: Context): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  app.route({
    method: 'POST',
    url: '/publish',
    schema: publishSchema,
    ...compilers,
    bodyLimit: settings.payloadLimit,
    onRequest: function checkPublish(request, _reply, done) {
      settings.origins.check(request)
      checkEncoding(request.headers)
      done()
    },
    // Over HTTP/2 a request without content type and length may have a body, which Fastify would ignore.
    preParsing: function readUntypedBody(request, _reply, payload, done) {
      if (request.raw.httpVersionMajor === 2) request.headers['content-type'] ??= 'text/plain'
      done(null, payload)
    },
    preHandler: guard.hook((request) => ({ action: 'publish', channels: [parseChannel(queryOf(request))] })),
    async handler(request, reply) {
      const channel = parseChannel(queryOf(request))
      const key = request.headers['idempotency-key']
      if (key !== undefined) checkKey(key)
      const end = parseEnd(queryOf(request))
      const body = (request.body as Buffer) ?? Buffer.alloc(0)
      const read = () => checkSize(bodyPayload(request.headers['content-type'], body), settings.payloadLimit)
      // An end may have no data.
      const payload = end ? endPayload(body.length === 0 ? undefined : read()) : read()
      const { epoch, seq, time, repeated } = await bus
        .publish(channel, payload, key as string | undefined, guard.grantOf(request).publisher)
        .catch((error) => {
          throw withRetryAfter(faultOf(error))
        })
      reply
        .code(repeated ? 200 : 201)
        .type('application/json; charset=utf-8')
        .serializer(asIs)
      return `{"cursor":"${epoch}.${seq}","channel":"${channel}","time":${time}}`
    },
  })
}
