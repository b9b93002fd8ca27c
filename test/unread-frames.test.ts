import type { Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t from 'tap'
import { FrameQueue } from '../routes/ws/frame-queue.ts'
import { build, until } from './helper.ts'
import { maskedFrame, OPCODE, openRawSocket } from './raw-socket.ts'

t.test('large frames behind a replay that is not read: the socket is not read either', async (t) => {
  const { app, port } = await build(t, { echo: true, slowConsumer: { bytes: 2 ** 30, timeout: 600_000 } })
  const first = await app.tidings.publish('long', 'x'.repeat(60_000))
  for (let i = 0; i < 400; i++) await app.tidings.publish('long', 'x'.repeat(60_000))
  let server: { bytesRead: number } | undefined
  app.server.on('connection', (socket) => {
    server = socket
  })
  const raw = await openRawSocket(t, port, '/ws')
  await raw.next()
  raw.socket.pause()
  const junk = 'j'.repeat(390_000)
  raw.send({ type: 'subscribe', channel: 'long', cursor: first.cursor, ref: 'long' })
  for (let i = 0; i < 64; i++) raw.send({ type: 'ping', ref: i, junk })
  const frame = JSON.stringify({ type: 'ping', ref: 0, junk }).length
  // No more than what had been read with the frame that filled the queue.
  let still = 0
  for (let before = -1; still < 200; before = server!.bytesRead) {
    still = server!.bytesRead === before ? still + 1 : 0
    await new Promise(setImmediate)
  }
  t.ok(server!.bytesRead < 4 * frame, `${server!.bytesRead} bytes were read`)
  raw.socket.resume()
  for (let next = 0; next < 64; ) {
    const { type, ref } = await raw.json()
    if (type === 'pong') t.equal(ref, next++)
  }
  await until(() => server!.bytesRead > 64 * frame)
})

t.test('a frame that waits keeps nothing of what came with it', async (t) => {
  const queue = new FrameQueue(1000)
  const chunk = Buffer.alloc(65_536, 'x')
  queue.push(chunk.subarray(5, 15), false)
  const { data } = queue.shift()!
  t.equal(data.toString(), 'x'.repeat(10))
  t.equal(data.buffer.byteLength, 10)
  const whole = Buffer.from(new ArrayBuffer(10))
  queue.push(whole, true)
  t.equal(queue.shift()!.data, whole, 'one that came alone is not copied')
  t.equal(queue.shift(), undefined)
})

t.test('it is full by number and by bytes', async (t) => {
  const queue = new FrameQueue(1000)
  for (let i = 0; i < 63; i++) queue.push(Buffer.alloc(1), false)
  t.strictSame([queue.full, queue.roomy, queue.size], [false, false, 63])
  queue.push(Buffer.alloc(1), false)
  t.equal(queue.full, true)
  while (queue.size > 31) queue.shift()
  t.equal(queue.roomy, true)
  queue.push(Buffer.alloc(500), false)
  t.strictSame([queue.full, queue.roomy], [false, false])
  queue.push(Buffer.alloc(500), false)
  t.equal(queue.full, true)
  queue.clear()
  t.strictSame([queue.full, queue.roomy, queue.size], [false, true, 0])
})

t.test('the frames come out as they went in', async () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.boolean()))), (steps) => {
      const queue = new FrameQueue(1000)
      const model: { data: Buffer; binary: boolean }[] = []
      for (const step of steps) {
        if (step === null) {
          const frame = queue.shift()
          const expected = model.shift()
          if (frame?.binary !== expected?.binary) return false
          if (frame && expected && !frame.data.equals(expected.data)) return false
        } else {
          const frame = { data: Buffer.from(step[0]), binary: step[1] }
          model.push(frame)
          queue.push(frame.data, frame.binary)
        }
        const bytes = model.reduce((sum, { data }) => sum + data.length, 0)
        if (queue.size !== model.length || queue.full !== (model.length >= 64 || bytes >= 1000)) return false
      }
      return true
    }),
  )
})

t.test('tiny frames that came in one go take no more memory than they have bytes', async (t) => {
  const queues = Array.from({ length: 20 }, () => new FrameQueue(65_536))
  const chunk = Buffer.alloc(10_000, 'x')
  setFlagsFromString('--expose_gc')
  const gc = runInNewContext('gc') as () => void
  gc()
  const before = process.memoryUsage()
  for (const queue of queues)
    for (let i = 0; i < chunk.length; i++) queue.push(chunk.subarray(i, i + 1), false)
  gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const each = (heapUsed - before.heapUsed + arrayBuffers - before.arrayBuffers) / (20 * chunk.length)
  t.ok(each < 20, `${each} bytes a frame`)
  t.equal(queues[0]!.size, chunk.length)
})

t.test('a message in very many pieces is refused', async (t) => {
  const { app, port } = await build(t, { publish: true })
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => sockets.push(socket))
  const fragments = await openRawSocket(t, port, '/ws')
  await fragments.json()
  fragments.socket.write(maskedFrame(OPCODE.text, '"', false))
  fragments.socket.write(Buffer.concat(Array(200).fill(maskedFrame(OPCODE.more, 'x', false))))
  const refused = await fragments.next()
  t.match(refused, { opcode: OPCODE.close })
  t.equal(refused.payload.readUInt16BE(), 1008)

  const bytes = await openRawSocket(t, port, '/ws')
  await bytes.json()
  bytes.socket.setNoDelay(true)
  const frame = maskedFrame(OPCODE.text, 'x'.repeat(60_000))
  const server = sockets[1]!
  let sent = 0
  while (bytes.rest.length === 0 && sent < 10_000 && !bytes.socket.destroyed) {
    const before = server.bytesRead
    bytes.socket.write(frame.subarray(sent, ++sent))
    await until(() => server.bytesRead > before || server.destroyed)
  }
  t.ok(sent < 5000, `${sent} bytes, each for itself`)
  t.equal((await bytes.next()).payload.readUInt16BE(), 1008)
})
