import { createServer } from 'node:http'
import { createChannel, createSession } from 'better-sse'
import type { Adapter } from './adapter.ts'
import { listening, publishRoute } from './parts.ts'

/** better-sse with one channel on a node:http server. Event data is JSON. */
export default {
  async start() {
    const channel = createChannel()
    const server = createServer(
      publishRoute(
        (text) => channel.broadcast(text),
        async (request, response) => {
          channel.register(await createSession(request, response))
        },
      ),
    )
    return listening(server)
  },
  publish: (text) => ({ path: '/publish', body: text }),
  readers: { sse: (reader) => reader.events('/sse', { event: reader.message }) },
} satisfies Adapter
