import t from 'tap'
import { build, openSocket } from '../helper.ts'
import { maskedFrame, OPCODE, openRawSocket } from '../raw-socket.ts'
import { ask } from '../request.ts'

t.test('each frame comes back as it came', async (t) => {
  const { url } = await build(t, { echo: true })
  const client = await openSocket(t, `${url}/echo`)
  for (const frame of ['text é', '', Buffer.of(0, 255), Buffer.alloc(0), 'x'.repeat(300_000)]) {
    client.send(frame)
    t.strictSame(await client.frame(), frame)
  }
  client.ws.close(1000)
  t.equal((await client.closed).code, 1000)
})

t.test('it is not there unless it is turned on', async (t) => {
  const { url } = await build(t)
  t.equal((await ask(`${url}/echo`)).status, 404)
})

t.test('it is no reader: nobody is asked for permission', async (t) => {
  const { url } = await build(t, { echo: true, authorize: () => false })
  const client = await openSocket(t, `${url}/echo`)
  client.send('x')
  t.equal(await client.frame(), 'x')
})

t.test('it counts among the readers that are held', async (t) => {
  const { url } = await build(t, { echo: true, maxReaders: 1 })
  await openSocket(t, `${url}/echo`)
  await t.rejects(openSocket(t, `${url}/echo`), /503/)
})

t.test('a client that does not read is not read, and gets all once it does', async (t) => {
  const { port } = await build(t, { echo: true })
  const raw = await openRawSocket(t, port, '/echo')
  raw.socket.pause()
  const frame = maskedFrame(OPCODE.binary, Buffer.alloc(300_000, 7))
  const count = 60
  let taken = 0
  for (let i = 0; i < count; i++) raw.socket.write(frame, () => taken++)
  // The kernel's buffers fill on both ways: the server has stopped reading while some of ours still wait.
  await new Promise<void>((resolve) => {
    let before = -1
    const look = setInterval(() => {
      if (taken === before && taken < count) {
        clearInterval(look)
        resolve()
      }
      before = taken
    }, 50)
  })
  t.ok(taken < count)
  raw.socket.resume()
  for (let i = 0; i < count; i++) {
    const { opcode, payload } = await raw.next()
    if (opcode !== OPCODE.binary || payload.length !== 300_000) t.fail(`frame ${i}`)
  }
  t.equal(taken, count)
})

t.test('frames behind the end are not sent back', async (t) => {
  const { app, port } = await build(t, { echo: true })
  const raw = await openRawSocket(t, port, '/echo')
  const closing = app.close()
  const close = await raw.next()
  t.equal(close.payload.readUInt16BE(), 1001)
  raw.socket.write(
    Buffer.concat([
      maskedFrame(OPCODE.text, 'late'),
      maskedFrame(OPCODE.close, close.payload.subarray(0, 2)),
    ]),
  )
  await raw.closed
  await closing
  t.equal(raw.rest.length, 0)
})
