import { Agent } from 'node:http'
import t from 'tap'
import { startApp } from './child.ts'
import { build, openRaw, openSocket, openStream, post, until } from './helper.ts'
import { maskedFrame, OPCODE, openRawSocket } from './raw-socket.ts'
import { ask } from './request.ts'

/** The rule is a second; a close that waits for a client would take as long as that client likes. */
const within = { timeout: 15_000 }

t.test('held polls are answered, streams and sockets end', within, async (t) => {
  const { app, url } = await build(t, { echo: true })
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const polls = Array.from({ length: 50 }, () => ask(`${url}/longpoll?cursor=now`, { agent }))
  const streams = await Promise.all(Array.from({ length: 20 }, () => openStream(t, `${url}/sse`)))
  const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(t, `${url}/ws`)))
  const raws = await Promise.all(Array.from({ length: 5 }, () => openSocket(t, `${url}/ws?format=raw`)))
  const echos = await Promise.all(Array.from({ length: 5 }, () => openSocket(t, `${url}/echo`)))
  await ask(`${url}/poll`, { agent })
  await until(() => app.tidings.bus.log.groups.watching === 95)

  await app.close()
  for (const { status, headers } of await Promise.all(polls)) {
    t.equal(status, 204)
    t.equal(headers.connection, 'close')
    t.equal(headers['tidings-cursor'], app.tidings.bus.log.nothing.cursor)
  }
  for (const stream of streams) {
    await stream.ended
    const [ready, last] = stream.rest
    t.match(ready, { event: 'ready', retry: String })
    const wait = Number(last!.retry)
    t.ok(wait >= 1000 && wait <= 3000)
  }
  for (const socket of [...sockets, ...raws, ...echos]) {
    t.strictSame(await socket.closed, { code: 1001, reason: 'going away' })
  }
  t.equal(app.tidings.bus.log.groups.watching, 0)
})

t.test('clients that never read, or never answer the close, hold nothing up', within, async (t) => {
  const { app, port } = await build(t, { echo: true, retention: { bytes: 512 * 1024 * 1024 } })
  const { log } = app.tidings.bus
  const paths = ['/ws', '/ws?format=raw', '/echo']
  const silent = await Promise.all(paths.map((path) => openRawSocket(t, port, path)))
  const stopped = await Promise.all(paths.map((path) => openRawSocket(t, port, path)))
  const stream = await openRaw(t, port)
  stream.socket.write('GET /sse HTTP/1.1\r\nHost: x\r\n\r\n')
  await stream.until('event: ready')
  for (const raw of [...stopped, stream]) raw.socket.pause()
  // All that do not read are full, and are watched no more.
  while (log.groups.watching > 2) {
    await app.tidings.publish('default', 'x'.repeat(60_000))
    await new Promise(setImmediate)
  }
  const { socket } = stopped[2]!
  const frame = maskedFrame(OPCODE.binary, Buffer.alloc(300_000))
  while (socket.writableLength < 8_000_000) {
    socket.write(frame)
    await new Promise(setImmediate)
  }
  await app.close()
  for (const raw of silent) {
    await raw.closed
    t.equal(raw.rest.at(-1)?.payload.readUInt16BE(), 1001)
  }
})

t.test('what is published in the closing turn is not lost', within, async (t) => {
  const { app, url } = await build(t)
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const poll = ask(`${url}/longpoll?cursor=now`, { agent })
  const stream = await openStream(t, `${url}/sse`)
  const socket = await openSocket(t, `${url}/ws`)
  const raw = await openSocket(t, `${url}/ws?format=raw`)
  await until(() => app.tidings.bus.log.groups.watching === 4)
  await socket.json()

  const accepted = app.tidings.publish('default', 'last words')
  await app.close()
  const { cursor } = await accepted
  const answer = await poll
  t.equal(answer.status, 200)
  t.equal(answer.headers.connection, 'close')
  t.match(answer.json, { cursor, messages: [{ data: 'last words' }] })
  t.match(await socket.json(), { cursor, data: 'last words' })
  t.equal((await socket.closed).code, 1001)
  t.equal(await raw.frame(), 'last words')
  await stream.ended
  t.match(stream.rest[1], { id: cursor })
})

t.test('a publisher meets the close with its answer, or with 503', within, async (t) => {
  const { app, url } = await build(t, { publish: true })
  const client = await openSocket(t, `${url}/ws?channel=a`)
  await client.json()
  const answers: Promise<number>[] = []
  for (let i = 0; i < 20; i++) {
    client.send({ type: 'publish', channel: 'b', data: i })
    answers.push(
      ask(`${url}/publish`, { method: 'POST', body: 'x' }).then(
        ({ status }) => status,
        () => 0,
      ),
    )
  }
  await until(() => app.tidings.bus.log.head > 0)
  await app.close()
  t.equal((await client.closed).code, 1001)
  const statuses = await Promise.all(answers)
  const accepted = statuses.filter((status) => status === 201).length
  t.ok(statuses.every((status) => [0, 201, 503].includes(status)))
  t.ok(app.tidings.bus.log.head >= accepted)
  await t.rejects(app.tidings.publish('b', 'late'), { code: 'TIDINGS_ERR_CLOSED' })
})

t.test('a reader that a hook held up until the close is ended, too', within, async (t) => {
  let go = () => {}
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  let held = 0
  const { app, url } = await build(
    t,
    {},
    {
      before: (app) => {
        app.addHook('onRoute', (route) => {
          const wait = async () => {
            held++
            await gate
          }
          route.preHandler = [route.preHandler ?? [], wait].flat()
        })
      },
    },
  )
  const socket = openSocket(t, `${url}/ws`)
  const stream = openStream(t, `${url}/sse`)
  const poll = ask(`${url}/longpoll?cursor=now`)
  await until(() => held === 3)
  const closing = app.close()
  await until(() => app.server.listening === false)
  go()
  t.equal((await (await socket).closed).code, 1001)
  const { response, ended } = await stream
  t.equal(response.headers.get('tidings-refused'), 'limit')
  await ended
  t.equal((await poll).status, 503)
  await closing
})

t.test('a socket that is closing already', within, async (t) => {
  const permission = new AbortController()
  const { app, port } = await build(t, { authorize: () => permission.signal })
  const raw = await openRawSocket(t, port, '/ws')
  await raw.next()
  permission.abort()
  t.equal((await raw.next()).payload.readUInt16BE(), 1008)
  await app.close()
  await raw.closed
  t.equal(raw.rest.length, 0)
})

t.test('closing before listening, and twice', within, async (t) => {
  const { app, url } = await build(t)
  const socket = await openSocket(t, `${url}/ws`)
  await Promise.all([app.close(), app.close()])
  t.equal((await socket.closed).code, 1001)
})

t.test(
  'a process that is killed: its clients see the end, and go on with another life of the log',
  async (t) => {
    const { child, url } = await startApp(t)
    const { body } = await post(`${url}/publish`, 'hello')
    const socket = await openSocket(t, `${url}/ws`)
    await socket.json()
    const stream = await openStream(t, `${url}/sse`)
    const poll = ask(`${url}/longpoll?cursor=${body.cursor}`)
    poll.catch(() => {})
    await stream.next()
    child.process.kill('SIGKILL')
    t.equal((await socket.closed).code, 1006)
    await stream.ended
    await t.rejects(poll)
    t.equal((await child.ended).signal, 'SIGKILL')

    const next = await startApp(t)
    const answer = await ask(`${next.url}/poll?cursor=${body.cursor}`)
    t.equal(answer.status, 410)
    t.match(answer.json, { reason: 'epoch' })
  },
)
