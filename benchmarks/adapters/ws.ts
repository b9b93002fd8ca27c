import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import type { Adapter } from './adapter.ts'
import { listening, publishRoute } from './parts.ts'

/** Plain ws on a node:http server that accepts publishes. */
export default {
  async start() {
    const sockets = new WebSocketServer({ noServer: true })
    const server = createServer(
      publishRoute((text) => {
        for (const client of sockets.clients) client.send(text)
      }),
    )
    server.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, () => {}))
    return listening(server)
  },
  publish: (text) => ({ path: '/publish', body: text }),
  readers: {
    ws: (reader) => reader.socket('/', { message: reader.message }),
  },
} satisfies Adapter
