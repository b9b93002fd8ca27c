import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2'
import { type AddressInfo, createServer as createTcp, Socket } from 'node:net'
import { PassThrough, type Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import {
  dropInflater,
  ownSocket,
  plainHandle,
  plainStream,
  receivedBytes,
  rewriterOf,
  takenBytes,
  waitingBytes,
  writePast,
} from '../../../routes/http/node-internals.ts'
import { LOADER, UNCOVERED } from '../../child.ts'
import { openRaw } from '../../helper.ts'
import { resetConnection } from '../../reset-connection.ts'

const DRAIN = fileURLToPath(new URL('../../fixtures/drain.ts', import.meta.url))

/** A bare server of node:http whose requests are waited for. */
async function serve(t: Test) {
  const waiting: { request: IncomingMessage; response: ServerResponse }[] = []
  let look = () => {}
  const server = createServer((request, response) => {
    waiting.push({ request, response })
    look()
  })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    next: async () => {
      if (waiting.length === 0) await new Promise<void>((resolve) => (look = resolve))
      return waiting.shift()!
    },
  }
}

t.test('the socket of a response is ours once its head has gone', async (t) => {
  const { port, next } = await serve(t)
  const raw = await openRaw(t, port)
  raw.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const { request, response } = await next()
  response.writeHead(200)
  response.write('first')
  const socket = ownSocket(response)
  t.equal(socket, request.socket, 'else every event costs three writes again')
  t.ok(socket instanceof Socket)
  socket!.write('6\r\nsecond\r\n')
  response.end('third')
  const text = await raw.until('0\r\n\r\n')
  t.ok(text.endsWith('\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n5\r\nthird\r\n0\r\n\r\n'), 'in their order')
  t.equal(receivedBytes(request.socket), 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.length)
})

t.test('for an HTTP/1.0 client no chunks are made', async (t) => {
  const { port, next } = await serve(t)
  const raw = await openRaw(t, port)
  raw.socket.write('GET / HTTP/1.0\r\n\r\n')
  const { response } = await next()
  response.writeHead(200)
  response.write('first')
  t.equal(ownSocket(response), undefined)
  t.equal(plainStream(response), response)
})

t.test('in a pipeline the socket is that of the first', async (t) => {
  const { port, next } = await serve(t)
  const raw = await openRaw(t, port)
  raw.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2))
  const first = await next()
  const second = await next()
  second.response.writeHead(200)
  second.response.write('second')
  t.equal(ownSocket(second.response), undefined)
  first.response.writeHead(200)
  first.response.write('first')
  t.ok(ownSocket(first.response))
})

t.test('over HTTP/2 there are no chunks, and the stream tells of fullness', async (t) => {
  const server = createHttp2()
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(() => session.destroy())
  const asked = new Promise<ServerResponse>((resolve) => {
    server.once('request', (_request, response) => resolve(response as unknown as ServerResponse))
  })
  session.request({ ':path': '/' })
  const response = await asked
  response.writeHead(200)
  response.write('first')
  t.equal(ownSocket(response), undefined)
  const stream = plainStream(response)
  t.not(stream, response)
  t.type(stream.writableNeedDrain, 'boolean')
})

t.test('what ws inflates with is let go of', async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 } })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    perMessageDeflate: { threshold: 0, clientNoContextTakeover: true },
  })
  t.teardown(() => client.terminate())
  const [socket] = await once(server, 'connection')
  await once(client, 'open')
  const inflater = () => socket._extensions['permessage-deflate']._inflate
  dropInflater(socket)
  for (const text of ['one', 'two']) {
    client.send(text)
    const [data] = await once(socket, 'message')
    t.equal(data.toString(), text)
    t.ok(inflater(), 'it is kept')
    dropInflater(socket)
    t.notOk(inflater())
  }
})

t.test('what the kernel has taken stands still within a write, and grows within a write', async (t) => {
  const { port, next } = await serve(t)
  const raw = await openRaw(t, port)
  raw.socket.pause()
  raw.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const { request } = await next()
  const { socket } = request
  t.equal(takenBytes(socket), 0)
  const size = 24 * 1024 * 1024
  socket.write(Buffer.alloc(size))
  t.equal(socket.bytesWritten, size, 'as a whole')
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  await turn()
  const taken = takenBytes(socket)
  t.ok(taken > 0 && taken < size, `${taken} of ${size} bytes`)
  raw.socket.resume()
  let seen = taken
  let grew = 0
  while (seen < size) {
    await turn()
    const now = takenBytes(socket)
    if (now > seen) grew++
    seen = now
  }
  t.ok(grew > 1, 'by and by')
  t.equal(seen, size)
})

t.test('a stream without a handle: what is left of its queue', async (t) => {
  const stream = new PassThrough({ highWaterMark: 1 })
  stream.write('12345')
  stream.write('678')
  const before = takenBytes(stream)
  t.ok(before < 0)
  stream.resume()
  await new Promise((resolve) => stream.once('drain', resolve))
  t.ok(takenBytes(stream) > before, 'it grows as the stream drains')
  const destroyed = new Socket()
  destroyed.destroy()
  t.equal(takenBytes(destroyed as Writable) + 0, 0)
})

/** The server's side of a connection that nothing was written to, and a client that reads nothing yet. */
async function pair(t: Test) {
  const { port, next } = await serve(t)
  const raw = await openRaw(t, port)
  raw.socket.pause()
  raw.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const { request } = await next()
  let text = ''
  raw.socket.on('data', (part) => {
    text += part
  })
  raw.socket.pause()
  return { socket: request.socket, client: raw.socket, got: () => text }
}

const nobody = { written() {}, failed() {} }

// Where an upgrade of Node takes this inside away, all is refused and goes the public way: this test then fails.
t.test('a write past the stream', async (t) => {
  const { socket, client, got } = await pair(t)
  const handle = plainHandle(socket)!
  t.ok(handle)
  const write = (text: string, writer = nobody) => {
    const went = writePast(handle, Buffer.from(text), writer)
    if (went === 'refused') socket.write(text)
    return went
  }
  t.equal(write('a'), 'refused', 'the first write of a process shows how')
  socket.write(Buffer.from('b'))
  t.equal(waitingBytes(socket), 0)
  t.equal(write('c'), 'taken')
  const much = 'd'.repeat(24 * 1024 * 1024)
  let drained = 0
  t.equal(write(much, { ...nobody, written: () => drained++ }), 'waits')
  const waiting = waitingBytes(socket)
  t.ok(waiting > 0 && waiting < much.length)
  t.equal(socket.writableLength, 0, 'the stream knows nothing of it')
  t.equal(write('e'), 'refused', 'behind what waits')
  t.equal(drained, 0)
  client.resume()
  const all = 4 + much.length
  while (got().length < all) await new Promise((resolve) => client.once('data', resolve))
  t.ok(got() === `abc${much}e`, 'in order')
  while (drained === 0) await new Promise(setImmediate)
  t.equal(drained, 1)
  t.equal(waitingBytes(socket), 0)
  t.equal(socket.bytesWritten, all)
  t.equal(write('f'), 'taken')
})

// What the kernel takes in two goes is done, and its request is still libuv's: one that was used again would end the
// process. That takes a reader that makes room between the two.
t.test('a reader that takes all that it can while it is written to', async (t) => {
  const server = createTcp()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const child = fork(DRAIN, [String((server.address() as AddressInfo).port)], {
    execArgv: LOADER,
    env: { ...process.env, ...UNCOVERED },
  })
  const gone = once(child, 'exit')
  const told = once(child, 'message')
  const [socket] = (await once(server, 'connection')) as [Socket]
  const bytes = Buffer.alloc(64 * 1024)
  const count = 10_000
  let written = 0
  let waited = 0
  await new Promise<void>((resolve) => {
    const writer = {
      failed() {},
      written() {
        while (written < count) {
          written++
          const went = writePast(plainHandle(socket)!, bytes, writer)
          if (went === 'waits') {
            waited++
            return
          }
          if (went === 'refused') {
            socket.write(bytes, () => setImmediate(() => writer.written()))
            return
          }
        }
        resolve()
      },
    }
    writer.written()
  })
  t.ok(waited > 0)
  socket.end()
  server.close()
  const [message] = await told
  t.equal(message, count * bytes.length, 'all of it came')
  await gone
})

t.test('a connection that fails while a write past its stream waits', async (t) => {
  const { socket, client } = await pair(t)
  const handle = plainHandle(socket)!
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const said: string[] = []
  const writer = {
    written: () => said.push('written'),
    failed() {
      said.push('failed')
      socket.destroy()
    },
  }
  t.equal(writePast(handle, Buffer.alloc(24 * 1024 * 1024), writer), 'waits')
  resetConnection(client)
  await closed
  t.same(said, ['failed'])
  t.equal(writePast(handle, Buffer.from('x'), nobody), 'refused')
})

t.test(
  'a write past a stream that has been destroyed, as soon as it is and when it has closed',
  async (t) => {
    const { socket } = await pair(t)
    const handle = plainHandle(socket)!
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.destroy()
    t.equal(plainHandle(socket), undefined)
    t.equal(writePast(handle, Buffer.from('x'), nobody), 'refused')
    await closed
    t.equal(writePast(handle, Buffer.from('x'), nobody), 'refused')
    // What is left of the handle in C++ goes some time after that.
    await new Promise(setImmediate)
    t.equal(writePast(handle, Buffer.from('x'), nobody), 'refused')
  },
)

t.test('a write past the stream that fails at once is left to the stream', async (t) => {
  const { socket } = await pair(t)
  const handle = plainHandle(socket)!
  const ended = new Promise<void>((resolve) => socket.end(resolve))
  await ended
  t.equal(writePast(handle, Buffer.from('x'), nobody), 'refused')
})

t.test('what is no TCP socket is not written past', (t) => {
  t.equal(plainHandle(new PassThrough()), undefined)
  t.equal(plainHandle(new Socket()), undefined)
  t.end()
})

t.test('a Fastify that does not show its options is refused at the start', async (t) => {
  for (const app of [{}, Object.create(null), { [Symbol('fastify.options')]: undefined }]) {
    t.throws(() => rewriterOf(app), { code: 'TIDINGS_ERR_FASTIFY', message: /rewriteUrl/ })
  }
  const plain = { [Symbol('fastify.options')]: {} }
  t.equal(rewriterOf(plain as never)({ url: '/a' } as never), '/a')
})
