import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import fastifyWebsocket from '@fastify/websocket'
import t from 'tap'
import { type Bus, memoryBus, type Question } from '../../index.ts'
import type { FrameMessage } from '../../routes/ws/frame-channel.ts'
import { build, openSocket, until } from '../helper.ts'
import { maskedFrame, OPCODE, openRawSocket } from '../raw-socket.ts'

/** What authorize says, when the test says so. */
class Gate {
  readonly asked: Question[] = []
  #open: () => void = () => {}
  readonly opened = new Promise<void>((resolve) => {
    this.#open = resolve
  })

  open(): void {
    this.#open()
  }

  readonly authorize = async (_request: unknown, question: Question): Promise<boolean> => {
    this.asked.push(question)
    // The handshake's own question is not held.
    if (this.asked.length > 1) await this.opened
    return true
  }
}

t.test('a malformed frame is told, and the socket stays open', async (t) => {
  const { url } = await build(t)
  const client = await openSocket(t, `${url}/ws`)
  await client.json()
  for (const frame of [
    '',
    'x',
    '{',
    '[]',
    '"ping"',
    'null',
    '7',
    '{}',
    '{"type":"pong"}',
    '{"type":["ping"]}',
  ]) {
    client.send(frame)
    const error = await client.json()
    t.match(error, { type: 'error', code: 'TIDINGS_ERR_FRAME', message: String }, frame)
    t.notOk('ref' in error)
  }
  client.send({ type: 'ping' })
  t.equal((await client.json()).type, 'pong')
})

t.test('a binary frame closes with 1003, and nothing behind it is handled', async (t) => {
  const { app, port } = await build(t, { publish: true })
  const raw = await openRawSocket(t, port, '/ws')
  await raw.next()
  raw.socket.write(
    Buffer.concat([
      maskedFrame(OPCODE.binary, '{"type":"ping"}'),
      maskedFrame(OPCODE.text, '{"type":"publish","data":1}'),
    ]),
  )
  const close = await raw.next()
  t.equal(close.opcode, OPCODE.close)
  t.equal(close.payload.readUInt16BE(), 1003)
  raw.send({ type: 'publish', data: 2 })
  raw.socket.write(maskedFrame(OPCODE.close, close.payload.subarray(0, 2)))
  await raw.closed
  t.equal(app.tidings.bus.log.head, 0)
  t.equal(raw.rest.length, 0)
})

t.test('bad UTF-8 closes with 1007, and a reserved bit with 1002', async (t) => {
  const { app, port } = await build(t)
  for (const [frame, code] of [
    [maskedFrame(OPCODE.text, Buffer.of(0x22, 0xff, 0x22)), 1007],
    [maskedFrame(0x40 | OPCODE.text, 'x'), 1002],
  ] as const) {
    const raw = await openRawSocket(t, port, '/ws')
    await raw.next()
    raw.socket.write(frame)
    const close = await raw.next()
    t.equal(close.opcode, OPCODE.close)
    t.equal(close.payload.readUInt16BE(), code)
    await app.tidings.publish('default', 'behind the close')
    raw.socket.end()
    await raw.closed
    t.equal(raw.rest.length, 0, 'no frame follows a close')
  }
})

t.test('a frame above six times the payload limit and 4 KiB closes with 1009', async (t) => {
  const { url } = await build(t, { publish: true, payloadLimit: 10 })
  const most = 6 * 10 + 4096
  const fits = await openSocket(t, `${url}/ws`)
  await fits.json()
  fits.send(`{"type":"ping"}${' '.repeat(most - 15)}`)
  t.equal((await fits.json()).type, 'pong')
  const over = await openSocket(t, `${url}/ws`)
  over.send(`{"type":"ping"}${' '.repeat(most - 14)}`)
  t.equal((await over.closed).code, 1009)
})

t.test('so it does where the user has set no limit', async (t) => {
  const { url } = await build(
    t,
    { publish: true, payloadLimit: 10 },
    { before: (app) => app.register(fastifyWebsocket) },
  )
  const over = await openSocket(t, `${url}/ws`)
  over.send(' '.repeat(6 * 10 + 4097))
  t.match(await over.closed, { code: 1009, reason: /too large/ })
})

t.test('frames in fragments are put together', async (t) => {
  const { port } = await build(t)
  const raw = await openRawSocket(t, port, '/ws')
  await raw.next()
  raw.socket.write(maskedFrame(OPCODE.text, '{"type":"pi', false))
  raw.socket.write(maskedFrame(OPCODE.ping, 'between'))
  raw.socket.write(maskedFrame(OPCODE.more, '', false))
  raw.socket.write(maskedFrame(OPCODE.more, 'ng"}'))
  t.match(await raw.next(), { opcode: OPCODE.pong, payload: Buffer.from('between') })
  t.match(await raw.json(), { type: 'pong' })
})

t.test('each frame waits until the one before has settled', async (t) => {
  const gate = new Gate()
  const { app, url } = await build(t, { authorize: gate.authorize })
  const client = await openSocket(t, `${url}/ws?channel=a`)
  await client.json()
  client.send({ type: 'subscribe', channel: 'b', ref: 1 })
  client.send({ type: 'ping', ref: 2 })
  client.send({ type: 'publish', channel: 'b', data: 'x', ref: 3 })
  client.send('?')
  client.send({ type: 'unsubscribe', channel: 'b', ref: 4 })
  await until(() => gate.asked.length === 2)
  await app.tidings.publish('a', 'goes on')
  t.match(await client.json(), { data: 'goes on' })
  t.equal(client.rest.length, 0)
  gate.open()
  const frames = [await client.json(), await client.json(), await client.json()]
  t.match(frames.slice(0, 2), [
    { type: 'subscribed', ref: 1 },
    { type: 'pong', ref: 2 },
  ])
  // The socket's own copy comes before the answer, after it, or, unsubscribed by then, not at all.
  const types = [frames[2], await client.json(), await client.json()].map(({ type }) => type)
  t.strictSame(types.filter(Boolean).slice(0, 2), ['published', 'error'])
  t.strictSame(gate.asked, [
    { action: 'subscribe', channels: ['a'] },
    { action: 'subscribe', channels: ['b'] },
    { action: 'publish', channels: ['b'] },
  ])
})

t.test('while 64 frames wait the socket is not read, and none is lost', async (t) => {
  const gate = new Gate()
  let socket: { isPaused: boolean } | undefined
  const { app, url } = await build(
    t,
    { authorize: gate.authorize },
    {
      before: async (app) => {
        await app.register(fastifyWebsocket)
        app.websocketServer.on('connection', (ws) => {
          socket = ws
        })
      },
    },
  )
  const client = await openSocket(t, `${url}/ws?channel=a`)
  await client.json()
  for (let i = 0; i < 300; i++) {
    client.send({ type: 'publish', channel: 'b', data: i, ref: i })
    if (i === 60) t.equal(socket!.isPaused, false)
  }
  await until(() => socket!.isPaused)
  gate.open()
  for (let i = 0; i < 300; i++) {
    const { ref, type } = await client.json()
    if (ref !== i || type !== 'published') t.strictSame({ ref, type }, { ref: i, type: 'published' })
  }
  t.equal(socket!.isPaused, false)
  t.equal(app.tidings.bus.log.head, 300)
})

t.test('what was published right before the client closes is not lost', async (t) => {
  for (const query of ['channel=a', 'channel=b&format=raw']) {
    const { app, port } = await build(t, { publish: true })
    const raw = await openRawSocket(t, port, `/ws?${query}`)
    const frames = Array.from({ length: 100 }, (_, i) =>
      maskedFrame(OPCODE.text, `{"type":"publish","channel":"b","data":${i}}`),
    )
    raw.socket.write(Buffer.concat([...frames, maskedFrame(OPCODE.close, Buffer.of(3, 232))]))
    await raw.closed
    await until(() => app.tidings.bus.log.head === 100)
    t.pass(query)
  }
})

t.test('nor is what stands behind a question that is answered after the close', async (t) => {
  const gate = new Gate()
  const { app, url } = await build(t, { authorize: gate.authorize })
  const client = await openSocket(t, `${url}/ws?channel=a`)
  await client.json()
  client.send({ type: 'subscribe', channel: 'b', cursor: 'another.1' })
  client.send({ type: 'publish', channel: 'b', data: 1 })
  await until(() => gate.asked.length === 2)
  client.ws.close(1000)
  t.equal((await client.closed).code, 1000)
  await until(() => app.tidings.bus.log.groups.watching === 0)
  gate.open()
  await until(() => app.tidings.bus.log.head === 1)
  t.equal(client.rest.length, 0)
})

t.test('no frame follows a close', async (t) => {
  const { app, port } = await build(t, { publish: true })
  const raw = await openRawSocket(t, port, '/ws')
  await raw.next()
  raw.socket.write(
    Buffer.concat([
      maskedFrame(OPCODE.text, '{"type":"publish","data":1}'),
      maskedFrame(OPCODE.close, Buffer.of(3, 232)),
    ]),
  )
  const { opcode, payload } = await raw.next()
  t.equal(opcode, OPCODE.close)
  t.equal(payload.readUInt16BE(), 1000)
  await raw.closed
  t.equal(raw.rest.length, 0)
  t.equal(app.tidings.bus.log.head, 1)
})

/** A bus that fails: what it throws is no affair of the client's. */
function failing(error: unknown): Bus {
  const bus = memoryBus()
  return {
    log: bus.log,
    close: () => bus.close(),
    publish: async () => {
      throw error
    },
  }
}

t.test('a fault of the bus is told without its text', async (t) => {
  for (const error of [
    new Error(`secret ${'x'.repeat(200)}`),
    Object.assign(new Error('secret'), { code: 7 }),
    'secret',
  ]) {
    const { url } = await build(t, { publish: true, bus: failing(error) })
    const client = await openSocket(t, `${url}/ws`)
    await client.json()
    client.send({ type: 'publish', data: 1, ref: 1 })
    t.strictSame(await client.json(), {
      type: 'error',
      ref: 1,
      code: 'TIDINGS_ERR_INTERNAL',
      message: 'The server failed',
    })
    client.send({ type: 'ping' })
    t.equal((await client.json()).type, 'pong')

    const raw = await openSocket(t, `${url}/ws?format=raw`)
    raw.send('x')
    t.strictSame(await raw.closed, { code: 1011, reason: 'The server failed' })
  }
})

t.test('frames are published on a diagnostics channel, where somebody subscribes', async (t) => {
  for (const subscribes of [true, false]) {
    const seen: FrameMessage[] = []
    const see = (message: unknown) => void seen.push(message as FrameMessage)
    if (subscribes) subscribe('tidings.frame', see)
    const { url } = await build(t, { publish: true, echo: true })
    const client = await openSocket(t, `${url}/ws`)
    await client.json()
    client.send('{"type":"ping"}')
    await client.json()
    const raw = await openSocket(t, `${url}/ws?format=raw`)
    raw.send('text')
    t.equal(await raw.frame(), 'text')
    raw.send(Buffer.of(1, 2, 3))
    await raw.frame()
    const echo = await openSocket(t, `${url}/echo`)
    echo.send('hi')
    await echo.frame()
    echo.send(Buffer.of(1))
    await echo.frame()
    unsubscribe('tidings.frame', see)
    t.strictSame(
      seen.map(({ path, frame }) => [path, frame]),
      subscribes
        ? [
            ['/ws', '{"type":"ping"}'],
            ['/ws?format=raw', 'text'],
            ['/ws?format=raw', Buffer.of(1, 2, 3)],
            ['/echo', 'hi'],
            ['/echo', Buffer.of(1)],
          ]
        : [],
    )
    t.ok(seen.every(({ log }) => typeof log.info === 'function'))
  }
})
