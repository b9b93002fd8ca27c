import { type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { duplexPair } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import tidings from '../../index.ts'
import { build, type Frame, live, openSocket, openStream, until } from '../helper.ts'
import { ask } from '../request.ts'

async function stats(url: string): Promise<Frame> {
  return (await ask(`${url}/stats`)).json
}

const NONE = { open: 0, requests: 0, messages: 0, bytesIn: 0, bytesOut: 0 }

t.test('what it shows', async (t) => {
  const { app, url } = await build(t, { stats: true })
  const { cursor } = await app.tidings.publish('a', 1)
  await app.tidings.publish('b', 2)
  await app.tidings.publish('b', 3)
  const answer = await ask(`${url}/stats`)
  t.match(answer.headers['content-type'], /^application\/json/)
  t.equal(answer.headers['cache-control'], 'no-store')
  const { bus, transports, process, ...rest } = answer.json
  t.strictSame(rest, {})
  const { bytes } = bus
  t.strictSame(bus, {
    epoch: cursor.split('.')[0],
    head: 3,
    channels: 2,
    messages: 3,
    bytes,
    connected: true,
    lag: 0,
  })
  t.ok(bytes > 100)
  t.strictSame(transports, { poll: NONE, longpoll: NONE, sse: NONE, ws: NONE })
  t.strictSame(Object.keys(process), ['cpuMs', 'rssBytes', 'eventLoopDelayMs'])
  t.ok(process.cpuMs > 0 && process.rssBytes > 1e6)
  t.strictSame(Object.keys(process.eventLoopDelayMs), ['p50', 'p99'])
  for (const value of Object.values(process.eventLoopDelayMs)) t.ok(Number(value) >= 0)
})

t.test('not there unless asked for', async (t) => {
  const { url } = await build(t)
  t.equal((await ask(`${url}/stats`)).status, 404)
})

/** A connection that counts its bytes, and hands out one answer after the other. */
async function counting(t: Test, port: number) {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  let text = ''
  let look = () => {}
  const counted = { bytesIn: 0, bytesOut: 0 }
  socket.on('data', (part) => {
    text += part.toString('latin1')
    counted.bytesOut += part.length
    look()
  })
  const send = (head: string) => {
    counted.bytesIn += head.length
    socket.write(head)
  }
  /** Until the whole answer is there: its head, and as many bytes as that says. */
  const answer = () =>
    new Promise<void>((resolve) => {
      look = () => {
        const end = text.indexOf('\r\n\r\n')
        if (end === -1) return
        const length = Number(/content-length: ([0-9]+)/i.exec(text.slice(0, end))?.[1] ?? 0)
        if (text.length < end + 4 + length) return
        text = ''
        look = () => {}
        resolve()
      }
      look()
    })
  return {
    counted,
    send,
    answer,
    /** One request and its answer. @returns the bytes of both */
    async turn(path: string, during?: () => Promise<unknown>) {
      const before = { ...counted }
      send(`GET ${path} HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(300)}\r\n\r\n`)
      await during?.()
      await answer()
      return {
        bytesIn: counted.bytesIn - before.bytesIn,
        bytesOut: counted.bytesOut - before.bytesOut,
      }
    },
  }
}

t.test('bytes are those that one connection has carried, split at the end of each answer', async (t) => {
  const { app, port, url } = await build(
    t,
    { stats: true },
    {
      before: (app) => {
        app.get('/theirs', () => 'x'.repeat(5000))
      },
    },
  )
  const client = await counting(t, port)
  const sum = { poll: { bytesIn: 0, bytesOut: 0 }, longpoll: { bytesIn: 0, bytesOut: 0 } }
  const add = (to: 'poll' | 'longpoll', bytes: { bytesIn: number; bytesOut: number }) => {
    sum[to].bytesIn += bytes.bytesIn
    sum[to].bytesOut += bytes.bytesOut
  }
  let theirs = 0
  for (let i = 1; i <= 3; i++) {
    add('poll', await client.turn('/poll'))
    theirs += (await client.turn('/theirs')).bytesOut
    add(
      'longpoll',
      await client.turn(`/longpoll?cursor=now&round=${i}`, async () => {
        await live(app, 1)
        await app.tidings.publish('default', 'x'.repeat(i * 1000))
      }),
    )
    theirs += (await client.turn('/nowhere')).bytesOut
    add('poll', await client.turn('/poll?cursor=earliest'))
    add('poll', await client.turn('/poll?cursor=bad'))
  }
  const { transports } = await stats(url)
  t.strictSame(transports.poll, { open: 0, requests: 9, messages: 1 + 2 + 3, ...sum.poll })
  t.strictSame(transports.longpoll, { open: 0, requests: 3, messages: 3, ...sum.longpoll })
  t.strictSame(transports.sse, NONE)
  const { bytesOut } = client.counted
  t.equal(sum.poll.bytesOut + sum.longpoll.bytesOut + theirs, bytesOut)
})

t.test('open, and the bytes of what is open', async (t) => {
  const { app, port, url } = await build(t, { stats: true })
  const client = await counting(t, port)
  client.send('GET /longpoll?channel=none&cursor=now HTTP/1.1\r\nHost: x\r\n\r\n')
  const stream = await openStream(t, `${url}/sse`)
  await stream.next()
  const socket = await openSocket(t, `${url}/ws`)
  await socket.frame()
  await live(app, 3)
  const { transports: open } = await stats(url)
  t.match(open, { poll: NONE, longpoll: { open: 1 }, sse: { open: 1 }, ws: { open: 1 } })
  t.strictSame(open.longpoll, { ...NONE, open: 1, requests: 1, bytesIn: client.counted.bytesIn })
  t.ok(open.sse.bytesIn > 0 && open.sse.bytesOut > 100)
  t.ok(open.ws.bytesIn > 0 && open.ws.bytesOut > 100)

  const text = 'x'.repeat(10_000)
  await app.tidings.publish('default', text)
  await stream.next()
  await socket.frame()
  const { transports: later } = await stats(url)
  for (const name of ['sse', 'ws']) {
    t.equal(later[name].messages, 1)
    const more = later[name].bytesOut - open[name].bytesOut
    t.ok(more > 10_000 && more < 10_200, `${name}: ${more} bytes`)
    t.equal(later[name].bytesIn, open[name].bytesIn)
  }
  stream.close()
  socket.ws.terminate()
  await socket.closed
  await live(app, 1)
  t.match((await stats(url)).transports, { sse: { open: 0, requests: 1 }, ws: { open: 0, requests: 1 } })
})

t.test('over HTTP/2: a session may go while its streams are open', async (t) => {
  const app = Fastify({ http2: true }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(tidings, { stats: true })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const get = (session: ReturnType<typeof connectHttp2>, path: string) => {
    const stream = session.request({ ':path': path })
    stream.on('error', () => {})
    return stream
  }
  const text = async (stream: ClientHttp2Stream) => {
    let all = ''
    for await (const part of stream.setEncoding('utf8')) all += part
    return all
  }
  const session = connectHttp2(url)
  session.on('error', () => {})
  await text(get(session, '/poll'))
  get(session, '/longpoll?cursor=now')
  get(session, '/sse')
  await live(app, 2)
  session.destroy()
  await live(app, 0)

  const other = connectHttp2(url)
  t.teardown(() => other.destroy())
  const { transports } = JSON.parse(await text(get(other, '/stats')))
  t.match(transports, {
    poll: { open: 0, requests: 1 },
    longpoll: { open: 0, requests: 1 },
    sse: { open: 0, requests: 1 },
  })
  t.ok(transports.poll.bytesOut > 0, `${transports.poll.bytesOut} bytes out`)
  t.ok(transports.poll.bytesIn > 0, `${transports.poll.bytesIn} bytes in`)
})

t.test('each request counts for itself on a connection that is a stream and no socket', async (t) => {
  const { app } = await build(t, { stats: true })
  const [server, client] = duplexPair()
  t.teardown(() => client.destroy())
  app.server.emit('connection', server)
  client.resume()
  const open = () => app.tidings.stats().transports.longpoll!.open
  const cursor = app.tidings.cursor()
  for (const channel of ['a', 'b', 'c']) {
    client.write(`GET /longpoll?channel=${channel}&cursor=${cursor} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  }
  await until(() => open() === 3)
  for (const [i, channel] of ['a', 'b', 'c'].entries()) {
    await app.tidings.publish(channel, 'news')
    await until(() => open() < 3 - i)
    t.equal(open(), 2 - i)
  }
})
