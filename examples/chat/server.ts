// A chat room that keeps its last messages: node --import tsx examples/chat/server.ts
import { fileURLToPath } from 'node:url'
import Fastify, { type FastifyInstance } from 'fastify'
import tidings from 'fastify-tidings'

const PAGE = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Chat</title>
  <ul></ul>
  <form><input name="name" placeholder="name" required> <input name="text" required> <button>Say</button></form>
  <script>
    const list = document.querySelector('ul')
    const show = (text) => list.append(Object.assign(document.createElement('li'), { textContent: text }))
    // The last fifty messages, then all new ones.
    const source = new EventSource('live/sse?channel=room&cursor=last:50')
    source.onmessage = ({ data }) => {
      const { name, text } = JSON.parse(data).data
      show(name + ': ' + text)
    }
    source.addEventListener('gap', () => show('… some messages are missing …'))
    document.querySelector('form').onsubmit = async (event) => {
      event.preventDefault()
      const { name, text } = event.target
      const body = JSON.stringify({ name: name.value, text: text.value })
      text.value = ''
      // With a key, the message counts once, even if it is sent several times.
      const headers = { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }
      for (let wait = 500; ; wait *= 2) {
        const answer = await fetch('live/publish?channel=room', { method: 'POST', headers, body }).catch(() => undefined)
        if (answer?.ok || (answer && answer.status < 500)) return
        await new Promise((resolve) => setTimeout(resolve, wait * Math.random()))
      }
    }
  </script>
</html>`

export async function build(logger = false): Promise<FastifyInstance> {
  const app = Fastify({ logger })
  await app.register(tidings, {
    prefix: '/live',
    payloadLimit: 1000,
    retention: { messages: 200 },
    // Everyone may read and write this room, and no other channel. A real app would authenticate its users.
    authorize: (_request, { action, channels }) =>
      action !== 'stats' && channels.every((channel) => channel === 'room'),
  })
  app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE))
  return app
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await (await build(true)).listen({ port: Number(process.env.PORT ?? 3000) })
}
