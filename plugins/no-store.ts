import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { UpgradeRouter } from './upgrade-router.ts'

/**
 * Adds `no-store` to every answer at our paths, also to those of the app: of its routes for other methods, and of its
 * handlers for 404 and 405. A browser may cache a 404.
 */
export function storeNothing(app: FastifyInstance): void {
  const router = UpgradeRouter.of(app)
  app.addHook('onSend', function storeNothing(request, reply, _payload, done) {
    if (!reply.hasHeader('cache-control') && router.has(request.raw.url!))
      reply.header('cache-control', 'no-store')
    done()
  })
  // Node itself answers an unknown expectation.
  const server = app.server as Server
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    if (server.listenerCount('checkExpectation') > 1) return
    if (router.has(router.urlOf(request))) response.setHeader('cache-control', 'no-store')
    response.writeHead(417).end()
  })
}
