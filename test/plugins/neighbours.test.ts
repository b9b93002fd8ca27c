import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'
import sameCopy from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { WebSocketServer } from 'ws'
import tidings, { websocketOptions } from '../../index.ts'
import { listen, openRaw, openSocket, post } from '../helper.ts'
import { handshake } from '../raw-socket.ts'
import { ask } from '../request.ts'
import { resetConnection } from '../reset-connection.ts'

const H2C =
  'Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n'

/** A second copy of the module, as npm installs one where versions differ: with symbols of its own. */
function anotherCopy(): typeof sameCopy {
  const require = createRequire(import.meta.url)
  const path = require.resolve('@fastify/websocket')
  delete require.cache[path]
  return require(path)
}

function start(t: Test, options: FastifyServerOptions = {}): FastifyInstance {
  const app = Fastify(options) as FastifyInstance
  t.teardown(() => app.close())
  app.get('/plain', () => 'plain')
  return app
}

const register = (app: FastifyInstance) =>
  app.register(tidings, { prefix: '/live', publish: true, echo: true })

/** Our routes do what they do alone, whoever else listens to upgrades. */
async function oursWork(t: Test, url: string, port: number): Promise<void> {
  const client = await openSocket(t, `${url}/live/ws`, ['other', 'tidings'])
  t.equal(client.ws.protocol, 'tidings')
  t.match(await client.json(), { type: 'ready' })
  t.equal((await post(`${url}/live/publish`, 'x')).status, 201)
  t.match(await client.json(), { data: 'x' })
  const echo = await openSocket(t, `${url}/live/echo`)
  echo.send('hi')
  t.equal(await echo.frame(), 'hi')
  t.equal((await ask(`${url}/live/ws`)).status, 426)
  for (const [request, answer] of [
    [`GET /live/poll HTTP/1.1\r\n${H2C}`, /^HTTP\/1\.1 200 /],
    [handshake('/live/poll'), /^HTTP\/1\.1 200 /],
    [`GET /live/ws HTTP/1.1\r\n${H2C}`, /^HTTP\/1\.1 426 /],
    [handshake('/live/ws', { 'sec-websocket-version': '8' }), /^HTTP\/1\.1 426 /],
    [handshake('/live/ws', { 'sec-websocket-key': 'x' }), /^HTTP\/1\.1 400 /],
  ] as const) {
    const raw = await openRaw(t, port)
    raw.socket.write(request)
    t.match(await raw.until('\r\n\r\n'), answer, request.slice(0, 20))
    raw.socket.destroy()
  }
  client.ws.terminate()
  echo.ws.terminate()
}

/** Nobody is left hanging. */
async function allAnswered(t: Test, port: number): Promise<void> {
  for (const path of ['/plain', '/nowhere']) {
    for (const request of [`GET ${path} HTTP/1.1\r\n${H2C}`, handshake(path)]) {
      const raw = await openRaw(t, port)
      raw.socket.write(request)
      t.match(await raw.until('\r\n\r\n'), /^HTTP\/1\.1 \d/, request.slice(0, 20))
      raw.socket.destroy()
    }
  }
}

for (const [copy, websocket] of [
  ['the same', sameCopy],
  ['another', anotherCopy()],
] as const) {
  for (const place of ['parent', 'sibling'] as const) {
    for (const first of [true, false]) {
      for (const [how, options] of [
        ['our options', websocketOptions()],
        ['options of its own', {}],
      ] as const) {
        t.test(
          `${copy} copy of @fastify/websocket, in a ${place} scope, registered ${first ? 'before' : 'after'}, with ${how}`,
          async (t) => {
            const app = start(t)
            const theirs = async (scope: FastifyInstance) => {
              await scope.register(websocket, options)
              await scope.register(async (routes) => {
                routes.get('/theirs', { websocket: true }, (socket) => {
                  socket.on('message', (data: Buffer) => socket.send(`theirs ${data}`))
                })
              })
            }
            const neighbour = () => (place === 'parent' ? theirs(app) : app.register(theirs))
            if (first) await neighbour()
            await register(app)
            if (!first) await neighbour()
            const { url, port } = await listen(app)
            const client = await openSocket(t, `${url}/theirs`)
            client.send('hi')
            t.equal(await client.frame(), 'theirs hi')
            client.ws.terminate()
            await oursWork(t, url, port)
            await allAnswered(t, port)
          },
        )
      }
    }
  }
}

t.test('a server of ws that refuses all paths but its own', async (t) => {
  for (const before of [true, false]) {
    const app = start(t)
    const server = () => {
      const theirs = new WebSocketServer({ server: app.server as never, path: '/theirs' })
      theirs.on('connection', (socket) => socket.send('theirs'))
    }
    if (before) server()
    await register(app)
    if (!before) server()
    const { url, port } = await listen(app)
    t.equal(await (await openSocket(t, `${url}/theirs`)).frame(), 'theirs')
    await oursWork(t, url, port)
    await allAnswered(t, port)
  }
})

t.test('a listener that answers late, and leaves what is not its own alone', async (t) => {
  const app = start(t)
  await register(app)
  app.server.on('upgrade', async (request: { url: string }, socket: Duplex) => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    if (request.url === '/theirs') socket.end('HTTP/1.1 101 Theirs\r\n\r\n')
  })
  const { url, port } = await listen(app)
  const raw = await openRaw(t, port)
  raw.socket.write(`GET /theirs HTTP/1.1\r\n${H2C}`)
  t.match(await raw.until('never'), /^HTTP\/1\.1 101 Theirs\r\n\r\n$/)
  await oursWork(t, url, port)
  await allAnswered(t, port)
  // Reset while nobody has taken it.
  const reset = await openRaw(t, port)
  reset.socket.write(`GET /plain HTTP/1.1\r\n${H2C}`, () => resetConnection(reset.socket))
  t.equal(await (await fetch(`${url}/plain`)).text(), 'plain')
})

t.test('an app that rewrites URLs', async (t) => {
  const seen: unknown[] = []
  const app = start(t, {
    rewriteUrl(request) {
      seen.push(this)
      return request.url!.replace(/^\/v1\//, '/live/').replace(/^\/out\//, '/')
    },
  })
  await register(app)
  // Scopes have it from the root.
  await app.register(async (scope) => {
    await scope.register(tidings, { prefix: '/inner', decorator: 'inner' })
  })
  app.get('/seen', (request) => request.originalUrl)
  const { url, port } = await listen(app)
  for (const path of ['/v1/ws?channel=a', '/live/ws', '/inner/ws']) {
    const client = await openSocket(t, url + path)
    t.match(await client.json(), { type: 'ready' }, path)
  }
  const raw = await openRaw(t, port)
  raw.socket.write(`GET /v1/poll HTTP/1.1\r\n${H2C}GET /out/seen HTTP/1.1\r\n${H2C}`)
  t.match(await raw.until('/out/seen'), /^HTTP\/1\.1 200 [\s\S]*"messages"[\s\S]*HTTP\/1\.1 200 /)
  t.ok(seen.every((app) => app === seen[0]))
})
