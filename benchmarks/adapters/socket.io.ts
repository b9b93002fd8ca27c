import { createServer } from 'node:http'
import { Server } from 'socket.io'
import type { Adapter } from './adapter.ts'
import { listening, publishRoute } from './parts.ts'

/** Separates Engine.IO packets in one response. */
const SEPARATOR = '\x1e'

/** socket.io with Engine.IO 4, over long polling alone or WebSocket alone. */
export default {
  async start() {
    const io = new Server({ serveClient: false })
    const server = createServer(
      publishRoute(
        (text) => io.emit('message', text),
        () => {},
      ),
    )
    io.attach(server)
    const { port, stop } = await listening(server)
    return {
      port,
      async stop() {
        await io.close()
        stop()
      },
    }
  },
  publish: (text) => ({ path: '/publish', body: text }),
  readers: {
    ws: (reader) =>
      reader.socket('/socket.io/?EIO=4&transport=websocket', {
        open() {},
        message(text, send) {
          if (text.startsWith('0')) send('40')
          else if (text.startsWith('40')) reader.ready()
          else if (text === '2') send('3')
          else reader.message(text)
        },
      }),
    longpoll(reader) {
      const path = '/socket.io/?EIO=4&transport=polling'
      reader.request({ path }, ({ body }) => {
        const { sid } = JSON.parse(body.slice(1)) as { sid: string }
        const own = `${path}&sid=${sid}`
        const say = (text: string, then: () => void) =>
          reader.request({ path: own, body: text, headers: { 'Content-Type': 'text/plain' } }, then)
        const ask = () =>
          reader.request({ path: own }, ({ body }) => {
            const packets = body.split(SEPARATOR)
            if (packets.some((packet) => packet.startsWith('40'))) reader.ready()
            reader.message(packets.filter((packet) => packet.startsWith('42')).join('\n'))
            if (packets.includes('2')) say('3', ask)
            else ask()
          })
        say('40', ask)
      })
    },
  },
} satisfies Adapter
