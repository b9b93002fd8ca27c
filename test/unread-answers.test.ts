import { AsyncLocalStorage } from 'node:async_hooks'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { TidingsOptions } from '../index.ts'
import { build, openRaw, until } from './helper.ts'

const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
const POLL = '/poll?cursor=earliest&limit=1000'

/** A client that reads nothing, what the server has of it, and how many answers were made. */
async function unread(t: Test, options: TidingsOptions = {}, before?: (app: FastifyInstance) => unknown) {
  let answers = 0
  const sockets: Socket[] = []
  const built = await build(
    t,
    { publish: true, stats: true, ...options },
    {
      before: async (app) => {
        app.addHook('onSend', async () => {
          answers++
        })
        await before?.(app)
      },
    },
  )
  built.app.server.on('connection', (socket) => sockets.push(socket))
  for (let i = 0; i < 16; i++) await built.app.tidings.publish('default', `${i}`.padEnd(64_000))
  const client = await openRaw(t, built.port)
  client.socket.pause()
  await until(() => sockets.length === 1)
  return { ...built, ...client, server: sockets[0]!, answers: () => answers }
}

t.test('an answer that nobody takes is destroyed, whatever it is', async (t) => {
  for (const path of [POLL, `${POLL}&format=raw`, '/poll?limit=x']) {
    const { socket, server, app } = await unread(t, { slowConsumer: { timeout: 100 } })
    socket.on('error', () => {})
    // As many as the kernel takes for it, and more.
    const write = () => {
      if (!server.destroyed && socket.writableLength < 1e6) socket.write(ask(path).repeat(500))
    }
    await until(() => {
      write()
      return server.destroyed
    })
    t.pass(path)
    t.equal(app.tidings.bus.log.head, 16)
    socket.destroy()
  }
})

t.test('a pipeline of polls holds few bodies, and its answers come in order', async (t) => {
  const { socket, server, app, answers, until: read } = await unread(t)
  const { log } = app.tidings.bus
  for (let i = 0; i < 48; i++) socket.write(ask(`/poll?limit=1000&cursor=${log.cursor(i % 16)}`))
  let still = 0
  for (let before = -1; still < 100; before = answers()) {
    still = answers() === before ? still + 1 : 0
    await new Promise(setImmediate)
  }
  const made = answers()
  t.ok(made < 20, `${made} answers were made`)
  t.ok(server.writableLength < 2.5 * 1024 * 1024, `${server.writableLength} bytes wait`)
  socket.resume()
  await until(() => answers() === 48)
  socket.write(ask('/poll?limit=x'))
  const text = await read('TIDINGS_ERR_LIMIT')
  const lengths = [...text.matchAll(/content-length: ([0-9]+)/g)].map(([, length]) => Number(length))
  t.equal(lengths.length, 49)
  t.ok(lengths.slice(0, 48).every((length, i) => Math.abs(length - (16 - (i % 16)) * 64_100) < 2000))
})

t.test('a pipeline behind one that is held is read no further', async (t) => {
  const { socket, server, answers, app } = await unread(t)
  socket.write(ask('/longpoll?cursor=now'))
  await until(() => app.tidings.bus.log.groups.watching === 1)
  socket.write(ask('/longpoll?cursor=now&channel=b'))
  await until(() => app.tidings.bus.log.groups.watching === 2)
  const line = ask('/poll?cursor=earliest').repeat(100)
  for (let i = 0; i < 1000; i++) socket.write(line)
  let still = 0
  for (let before = -1; still < 200; before = server.bytesRead) {
    still = server.bytesRead === before ? still + 1 : 0
    await new Promise(setImmediate)
  }
  t.ok(server.bytesRead < 500_000, `${server.bytesRead} bytes were read`)
  t.equal(answers(), 0)
  socket.resume()
  await app.tidings.publish('default', 1)
  await app.tidings.publish('b', 1)
  await until(() => answers() > 10)
})

t.test('a long poll behind others that finds something waits, and is held where it is gone', async (t) => {
  const { socket, server, app, answers, until: read } = await unread(t, { retention: { messages: 1 } })
  const { log } = app.tidings.bus
  socket.write(ask('/longpoll?cursor=now&channel=b'))
  await until(() => log.groups.watching === 1)
  await app.tidings.publish('c', 1)
  const before = server.bytesRead
  const paths = ['/longpoll?channel=c&cursor=earliest', `/longpoll?channel=c&cursor=${log.cursor(16)}`]
  const line = [...paths, '/poll?limit=x'].map(ask).join('')
  socket.write(line)
  await until(() => server.bytesRead === before + line.length)
  await new Promise(setImmediate)
  socket.resume()
  await app.tidings.publish('c', 2)
  await app.tidings.publish('c', 3)
  await app.tidings.publish('b', 'first')
  const text = await read('TIDINGS_ERR_LIMIT')
  t.equal(answers(), 4)
  t.match(text, /"data":"first".*"data":3}.*TIDINGS_ERR_GAP/s, 'what retention took meanwhile is told')
})

t.test('where all bodies together take too much, those that waited longest go', async (t) => {
  const { socket, server, answers } = await unread(t, { slowConsumer: { bytes: 1, timeout: 600_000 } })
  for (let i = 0; i < 100; i++) socket.write(ask(POLL))
  await until(() => server.destroyed)
  t.ok(answers() < 100)
})

t.test('one that reads slowly gets all', async (t) => {
  const { socket, server, answers, app } = await unread(t, { slowConsumer: { timeout: 500 } })
  for (let i = 0; i < 30; i++) socket.write(ask(POLL))
  let size = 0
  socket.setEncoding('latin1')
  socket.on('data', (part: string) => {
    size += part.length
    socket.pause()
    setTimeout(() => socket.resume(), 2)
  })
  socket.resume()
  await until(() => answers() === 30 && app.server !== undefined && server.writableLength === 0)
  await until(() => size > 30 * 1_000_000)
  t.notOk(server.destroyed)
})

t.test('one that has waited is answered in its own context', async (t) => {
  const users = new AsyncLocalStorage<string>()
  const seen: (string | undefined)[] = []
  const { socket, until: read } = await unread(t, {}, (app) => {
    app.addHook('onRequest', (request, _reply, done) => users.run(request.url, done))
    app.addHook('onSend', async () => {
      seen.push(users.getStore())
    })
  })
  socket.resume()
  const paths = Array.from({ length: 8 }, (_, i) => `${POLL}&n=${i}`)
  socket.write(paths.map(ask).join('') + ask('/poll?limit=x'))
  await read('TIDINGS_ERR_LIMIT')
  t.strictSame(seen, [...paths, '/poll?limit=x'])
})
