import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { UpgradeRouter } from './upgrade-router.ts'

/**
 * Has every answer at our paths say `no-store`, also those that are not ours: of the app's routes for other methods,
 * and of its handlers for what is not found or not allowed. A browser's cache may keep a 404.
 */
export function storeNothing(app: FastifyInstance): void {
  const router = UpgradeRouter.of(app)
  app.addHook('onSend', function storeNothing(request, reply, _payload, done) {
    if (!reply.hasHeader('cache-control') && router.has(request.raw.url!))
      reply.header('cache-control', 'no-store')
    done()
  })
  // Node answers an expectation that it doesn't know by itself.
  const server = app.server as Server
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    if (server.listenerCount('checkExpectation') > 1) return
    if (router.has(router.urlOf(request))) response.setHeader('cache-control', 'no-store')
    response.writeHead(417).end()
  })
}
