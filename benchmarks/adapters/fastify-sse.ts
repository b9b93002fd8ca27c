import sse from '@fastify/sse'
import Fastify from 'fastify'
import type { Adapter } from './adapter.ts'

interface Stream {
  send(event: { data: string }): Promise<void>
  keepAlive(): void
  onClose(listener: () => void): void
}

/** A Fastify route with @fastify/sse. Event data is JSON. */
export default {
  async start() {
    const app = Fastify()
    const streams = new Set<Stream>()
    await app.register(sse.default)
    app.get('/sse', { sse: true }, async (_, reply) => {
      const stream = reply.sse as unknown as Stream
      stream.keepAlive()
      streams.add(stream)
      stream.onClose(() => streams.delete(stream))
      await stream.send({ data: 'open' })
    })
    app.post('/publish', async (request, reply) => {
      for (const stream of streams) stream.send({ data: request.body as string }).catch(() => {})
      return reply.code(204).send()
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return { port: (app.server.address() as { port: number }).port, stop: () => app.close() }
  },
  publish: (text) => ({ path: '/publish', body: text, headers: { 'Content-Type': 'text/plain' } }),
  readers: {
    sse: (reader) =>
      reader.events('/sse', {
        open() {},
        event(data) {
          if (data.includes('open')) reader.ready()
          else reader.message(data)
        },
      }),
  },
} satisfies Adapter
