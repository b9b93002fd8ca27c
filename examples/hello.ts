// The smallest complete program: node --import tsx examples/hello.ts
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import tidings, { websocketOptions } from 'fastify-tidings'

const PAGE = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Hello</title>
  <form><label>Say <input name="text" required></label> <button>Send</button></form>
  <ul></ul>
  <script>
    const show = (text) => document.querySelector('ul').append(Object.assign(document.createElement('li'), { textContent: text }))
    const socket = new WebSocket(location.href.replace('http', 'ws') + 'hello')
    socket.onmessage = ({ data }) => show(data)
    document.querySelector('form').onsubmit = (event) => {
      event.preventDefault()
      socket.send(event.target.text.value)
      event.target.reset()
    }
    // Every message reaches all browsers, and none is lost while a browser reconnects.
    new EventSource('live/sse').onmessage = ({ data }) => show('somebody said: ' + JSON.parse(data).data)
  </script>
</html>`

const app = Fastify({ logger: true })
await app.register(websocket, websocketOptions())
await app.register(tidings, { prefix: '/live' })

app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE))

app.route({
  method: 'GET',
  url: '/hello',
  // A browser lets pages of any site open a socket. Accept only our own page.
  onRequest: async ({ headers, host }, reply) => {
    if (headers.origin !== undefined && headers.origin !== `http://${host}`) return reply.code(403).send()
  },
  handler: (_request, reply) => reply.code(426).send(),
  wsHandler(socket, request) {
    socket.send('hello')
    socket.on('message', (data) => {
      request.log.info(`received: ${data}`)
      app.tidings.publish('default', String(data))
    })
  },
})

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT || 3000) })

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    for (const socket of app.websocketServer.clients) socket.close(1001)
    app.close()
  })
}
