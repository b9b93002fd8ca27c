import t from 'tap'
import { build, openSocket } from '../helper.ts'
import { maskedFrame, OPCODE, openRawSocket } from '../raw-socket.ts'

t.test('each frame out is a payload, 2, 4 or 10 bytes over it', async (t) => {
  const { app, port } = await build(t)
  const raw = await openRawSocket(t, port, '/ws?format=raw&cursor=earliest')
  for (const [size, header] of [
    [0, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
  ] as const) {
    await app.tidings.publish('default', 'x'.repeat(size))
    const text = await raw.next()
    t.match(text, { fin: true, opcode: OPCODE.text, header })
    t.equal(text.payload.toString(), 'x'.repeat(size))
    await app.tidings.publish('default', Buffer.alloc(size, 0xff))
    const bytes = await raw.next()
    t.match(bytes, { fin: true, opcode: OPCODE.binary, header })
    t.ok(bytes.payload.equals(Buffer.alloc(size, 0xff)))
  }
  await app.tidings.publish('default', { a: 'é' })
  const json = await raw.next()
  t.match(json, { opcode: OPCODE.text, header: 2 })
  t.equal(json.payload.toString(), '{"a":"é"}')
  t.equal(raw.rest.length, 0)
})

t.test('envelopes have the same three headers', async (t) => {
  const { app, port } = await build(t)
  const raw = await openRawSocket(t, port, '/ws')
  t.match(await raw.json(), { type: 'ready' })
  for (const [size, header] of [
    [1, 2],
    [200, 4],
    [70_000, 10],
  ] as const) {
    await app.tidings.publish('default', 'é'.repeat(size / 2))
    const frame = await raw.next()
    t.match(frame, { fin: true, opcode: OPCODE.text, header })
    t.equal(JSON.parse(frame.payload.toString()).data, 'é'.repeat(size / 2))
  }
})

t.test('each frame in is published to the one channel', async (t) => {
  const { app, url } = await build(t, { publish: true })
  const client = await openSocket(t, `${url}/ws?format=raw&channel=a`)
  client.send('{"type":"ping"}')
  client.send(Buffer.of(0, 255))
  t.equal(await client.frame(), '{"type":"ping"}')
  t.strictSame(await client.frame(), Buffer.of(0, 255))
  const { entries } = app.tidings.bus.log.read(['a'], 0, { limit: 9, bytes: 999 })
  t.strictSame(
    entries.map((entry) => entry.kind),
    ['text', 'bytes'],
  )
})

t.test('too large a frame closes with 1009, and nothing behind it is published', async (t) => {
  const { app, url } = await build(t, { publish: true, payloadLimit: 10 })
  const client = await openSocket(t, `${url}/ws?format=raw`)
  client.send('1234567890')
  client.send('12345678901')
  client.send('behind')
  t.match(await client.closed, { code: 1009, reason: /11 bytes; at most 10/ })
  t.equal(app.tidings.bus.log.head, 1)
})

t.test('where clients may not publish, a frame closes with 1008', async (t) => {
  const { url } = await build(t)
  const client = await openSocket(t, `${url}/ws?format=raw`)
  client.send('x')
  t.match(await client.closed, { code: 1008, reason: /publish/ })
})

t.test('a hole closes with 4010 and the cursor of the gap', async (t) => {
  const { app, url } = await build(t, { retention: { messages: 1 } })
  const { cursor: first } = await app.tidings.publish('default', 1)
  const { cursor: second } = await app.tidings.publish('default', 2)
  await app.tidings.publish('default', 3)
  const client = await openSocket(t, `${url}/ws?format=raw&cursor=${first}`)
  t.strictSame(await client.closed, { code: 4010, reason: second })
  t.equal(client.rest.length, 0)
  const again = await openSocket(t, `${url}/ws?format=raw&cursor=${second}`)
  t.equal(await again.frame(), '3')
})

t.test('frames of an upgrade and those behind it, in pieces and in one', async (t) => {
  const { app, port } = await build(t, { publish: true })
  const raw = await openRawSocket(t, port, '/ws?format=raw')
  const whole = Buffer.concat([
    maskedFrame(OPCODE.text, 'a', false),
    maskedFrame(OPCODE.ping, 'p'),
    maskedFrame(OPCODE.more, 'b', false),
    maskedFrame(OPCODE.more, 'c'),
  ])
  for (const byte of whole) raw.socket.write(Buffer.of(byte))
  t.match(await raw.next(), { opcode: OPCODE.pong, payload: Buffer.from('p') })
  t.equal((await raw.next()).payload.toString(), 'abc')
  t.equal(app.tidings.bus.log.head, 1)
})
