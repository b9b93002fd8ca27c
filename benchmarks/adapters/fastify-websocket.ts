import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import type { Adapter } from './adapter.ts'

/** A Fastify route with @fastify/websocket. */
export default {
  async start() {
    const app = Fastify()
    await app.register(websocket)
    app.get('/ws', { websocket: true }, () => {})
    app.post('/publish', async (request, reply) => {
      for (const client of app.websocketServer.clients) client.send(request.body as string)
      return reply.code(204).send()
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return { port: (app.server.address() as { port: number }).port, stop: () => app.close() }
  },
  publish: (text) => ({ path: '/publish', body: text, headers: { 'Content-Type': 'text/plain' } }),
  readers: { ws: (reader) => reader.socket('/ws', { message: reader.message }) },
} satisfies Adapter
