import t from 'tap'
import { build, openRaw } from '../helper.ts'

const HANDSHAKE =
  'Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'

for (const path of ['/ws', '/echo', '/poll']) {
  t.test(`a hook of the app refuses an upgrade of ${path}: the connection does not stay`, async (t) => {
    const { app, port } = await build(
      t,
      { echo: true },
      {
        before: (app) =>
          app.addHook('onRequest', async (_request, reply) => {
            reply.code(401).header('connection', 'close').send({ refused: true })
            return reply
          }),
      },
    )
    const { socket, until } = await openRaw(t, port)
    socket.write(`GET ${path} HTTP/1.1\r\n${HANDSHAKE}`)
    const answer = await until('never')
    t.match(answer, /^HTTP\/1\.1 401 /)
    t.match(answer, '{"refused":true}')
    await app.close()
  })

  t.test(`an upgrade of ${path} that comes while the app closes`, async (t) => {
    let closing = () => {}
    let go = () => {}
    const began = new Promise<void>((resolve) => {
      closing = resolve
    })
    const { app, port } = await build(
      t,
      { echo: true },
      {
        before: (app) =>
          app.addHook('preClose', (done) => {
            go = done
            closing()
          }),
      },
    )
    const { socket, until } = await openRaw(t, port)
    const closed = app.close()
    await began
    socket.write(`GET ${path} HTTP/1.1\r\n${HANDSHAKE}`)
    t.match(await until('never'), /^HTTP\/1\.1 503 /)
    go()
    await closed
  })
}
