import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import type { TidingsOptions } from '../index.ts'
import { type Built, build, type Frame, openRaw, openSocket, post } from './helper.ts'
import { RawSocket } from './raw-socket.ts'
import { resetConnection } from './reset-connection.ts'

const OPTIONS: TidingsOptions = { publish: true, stats: true, echo: true }

/** Nobody is left, and the next one is served. */
async function healthy(t: Test, { app, url }: Built): Promise<void> {
  const { bus } = app.tidings
  await until(() => bus.log.groups.watching === 0)
  await until(async () =>
    Object.values<{ open: number }>((await stats(url)).transports).every(({ open }) => open === 0),
  )
  const { cursor } = (await post(`${url}/publish?channel=after`, 'still here')).body
  const poll = await (await fetch(`${url}/poll?channel=after&cursor=earliest`)).json()
  t.equal(poll.messages.at(-1).cursor, cursor, 'the server is healthy, and its counts are at zero')
}

async function stats(url: string): Promise<Frame> {
  return (await fetch(`${url}/stats`)).json()
}

/** The server learns of a client's end by itself: there is no event to wait for here. */
async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setImmediate(resolve))
}

/** The other side may reset a connection on which it has not read all: Node 24 does, behind its 431. */
async function gone(socket: Socket): Promise<void> {
  socket.resume()
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
}

t.test('half a request, and then nothing', async (t) => {
  const http = { headersTimeout: 200, connectionsCheckingInterval: 50 }
  const built = await build(t, OPTIONS, {
    server: { requestTimeout: 300, http } as FastifyServerOptions,
  })
  const { socket, until } = await openRaw(t, built.port)
  socket.write(
    'POST /publish?channel=a HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhal',
  )
  t.match(await until('408'), /^HTTP\/1.1 408/)
  await gone(socket)
  t.equal(built.app.tidings.bus.log.head, 0, 'half a body is no message')
  await healthy(t, built)
})

t.test('headers without end', async (t) => {
  const built = await build(t, OPTIONS)
  const { socket, until } = await openRaw(t, built.port)
  socket.write('GET /poll HTTP/1.1\r\nHost: x\r\n')
  for (let i = 0; i < 1000; i++) socket.write(`X-${i}: ${'y'.repeat(100)}\r\n`)
  t.match(await until('431'), /^HTTP\/1.1 431/)
  await gone(socket)
  await healthy(t, built)
})

t.test('a client that goes in the middle of its body', async (t) => {
  const built = await build(t, OPTIONS)
  const { socket } = await openRaw(t, built.port)
  socket.write('POST /publish?channel=a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhal', () =>
    resetConnection(socket),
  )
  await once(socket, 'close')
  await healthy(t, built)
  t.equal(built.app.tidings.bus.log.head, 1, 'only the message that asked whether it is healthy')
})

t.test('sockets that upgrade and say nothing', async (t) => {
  const built = await build(t, { ...OPTIONS, heartbeat: { ws: 80 } })
  const silent = Array.from(
    { length: 50 },
    (_, i) => new RawSocket(built.port, i % 2 ? '/echo' : '/ws?channel=a'),
  )
  t.teardown(() => {
    for (const { socket } of silent) socket.destroy()
  })
  // They answer no ping: the server ends them.
  await Promise.all(silent.map(({ closed }) => closed))
  await healthy(t, built)
})

t.test('frames by the thousand, and never a look at the answers', async (t) => {
  const built = await build(t, { ...OPTIONS, slowConsumer: { bytes: 64 * 1024 } })
  const client = await openSocket(t, `${built.url}/ws?channel=a`)
  client.ws.pause()
  const ping = JSON.stringify({ type: 'ping', ref: 'r'.repeat(1000) })
  for (let i = 0; i < 20_000; i++) client.send(ping)
  client.ws.on('error', () => {})
  await until(() => built.app.tidings.bus.log.groups.watching === 0)
  client.ws.resume()
  t.match((await client.closed).code, /^(4008|1006)$/)
  await healthy(t, built)
})

t.test('malformed frames by the thousand', async (t) => {
  const built = await build(t, OPTIONS)
  const client = await openSocket(t, `${built.url}/ws?channel=a`)
  await client.json()
  for (let i = 0; i < 2000; i++) client.send(i % 2 ? '{' : '{"type":"publish","channel":"a"}')
  for (let i = 0; i < 2000; i++) {
    const { type } = await client.json()
    if (type !== 'error') t.fail(`${type} is no answer to a malformed frame`)
  }
  client.send({ type: 'ping' })
  t.match(await client.json(), { type: 'pong' }, 'the socket is open yet')
  client.ws.terminate()
  await healthy(t, built)
})

t.test('subscribe and unsubscribe in a loop', async (t) => {
  const built = await build(t, OPTIONS)
  await built.app.tidings.publish('b', 'kept')
  const client = await openSocket(t, `${built.url}/ws?channel=a`)
  t.match(await client.json(), { type: 'ready' })
  for (let i = 0; i < 1000; i++) {
    client.send({ type: 'subscribe', channel: 'b', cursor: 'earliest' })
    client.send({ type: 'unsubscribe', channel: 'b' })
  }
  for (let i = 0; i < 1000; i++) {
    const frames = [await client.json(), await client.json(), await client.json()]
    t.match(frames, [{ data: 'kept' }, { type: 'subscribed' }, { type: 'unsubscribed' }])
  }
  client.ws.terminate()
  await healthy(t, built)
})

t.test('10,000 connections over the limit', async (t) => {
  const built = await build(t, { ...OPTIONS, maxReaders: 100 })
  const held: RawSocket[] = []
  t.teardown(() => {
    for (const { socket } of held) socket.destroy()
  })
  let refused = 0
  for (let wave = 0; wave < 20; wave++) {
    const open = Array.from({ length: 500 }, () => new RawSocket(built.port, '/ws?channel=a'))
    const heads = await Promise.all(open.map(({ head }) => head))
    for (const [i, head] of heads.entries()) {
      if (head.startsWith('HTTP/1.1 101')) held.push(open[i]!)
      else {
        open[i]!.socket.destroy()
        if (/^HTTP\/1.1 503 .*retry-after: \d+/is.test(head)) refused++
      }
    }
  }
  t.strictSame([held.length, refused], [100, 9900])
  for (const { socket } of held) socket.destroy()
  await healthy(t, built)
})

t.test('pipelined polls', async (t) => {
  const built = await build(t, OPTIONS)
  for (let i = 0; i < 10; i++) await built.app.tidings.publish('a', i)
  const { epoch } = built.app.tidings.bus.log
  const { socket, until } = await openRaw(t, built.port)
  const polls = Array.from(
    { length: 500 },
    (_, i) => `GET /poll?channel=a&limit=1&cursor=${epoch}.${i % 10} HTTP/1.1\r\nHost: x\r\n\r\n`,
  )
  socket.write(
    `${polls.join('')}GET /poll?channel=last&cursor=now HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
  )
  const answers = [...(await until('"messages":[]')).matchAll(/"data":(\d)/g)].map(([, digit]) =>
    Number(digit),
  )
  t.same(
    answers,
    Array.from({ length: 500 }, (_, i) => i % 10),
    'each is answered, in its turn',
  )
  await gone(socket)
  await healthy(t, built)
})

t.test('pipelined long polls, and a stream behind them', async (t) => {
  const built = await build(t, OPTIONS)
  const { app, port } = built
  const { socket, until: read } = await openRaw(t, port)
  const held = 'GET /longpoll?channel=a&cursor=now HTTP/1.1\r\nHost: x\r\n\r\n'
  socket.write(`${held.repeat(3)}GET /sse?channel=a HTTP/1.1\r\nHost: x\r\n\r\n`)
  await until(() => app.tidings.bus.log.groups.watching === 4)
  await app.tidings.publish('a', 'one')
  const text = await read('event: ready')
  t.match(
    text,
    /(?:"data":"one"[\s\S]*){3}event: ready/,
    'each long poll is answered, and the stream behind them',
  )
  await read('"data":"one"}\nid: ')
  socket.destroy()
  await healthy(t, built)
})

t.test('a reset in the middle of a write', async (t) => {
  const built = await build(t, OPTIONS)
  const { app, port } = built
  const paths = ['/ws?channel=a', '/sse?channel=a', '/longpoll?channel=a&cursor=now']
  const sockets = await Promise.all(
    Array.from({ length: 30 }, async (_, i) => {
      const path = paths[i % 3]!
      if (path.startsWith('/ws')) return new RawSocket(port, path).socket
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      return socket
    }),
  )
  await until(() => app.tidings.bus.log.groups.watching === 30)
  for (const socket of sockets) socket.pause()
  // More than the kernel takes, so that writes stand unfinished when the other side is gone.
  for (let i = 0; i < 200; i++) await app.tidings.publish('a', 'x'.repeat(60_000))
  for (const socket of sockets) resetConnection(socket)
  await healthy(t, built)
})

t.test('a client that half-closes is served to the end', async (t) => {
  const built = await build(t, OPTIONS)
  await built.app.tidings.publish('a', 'kept')
  const { socket, until: read } = await openRaw(t, built.port)
  socket.end('GET /poll?channel=a&cursor=earliest HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(await read('"kept"'), /^HTTP\/1.1 200/)
  await gone(socket)
  await healthy(t, built)
})
