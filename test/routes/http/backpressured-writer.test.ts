import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { BackpressuredWriter } from '../../../routes/http/backpressured-writer.ts'
import type { Slow } from '../../../routes/http/stalls.ts'
import { Unread } from '../../../routes/http/unread.ts'

/** Both ends of a connection over TCP. The client reads nothing until it is told to. */
async function connection(t: Test): Promise<{ server: Socket; client: Socket }> {
  const listening = createServer()
  t.teardown(() => listening.close())
  const accepted = new Promise<Socket>((resolve) => listening.once('connection', resolve))
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const client = connect((listening.address() as { port: number }).port, '127.0.0.1')
  client.pause()
  const server = await accepted
  t.teardown(() => {
    client.destroy()
    server.destroy()
  })
  return { server, client }
}

/** An outlet, and what it says. */
function outlet(t: Test, stream: Socket, slow: Partial<Slow>, onDrained = () => {}) {
  const said: string[] = []
  let look = () => {}
  const say = (what: string) => {
    said.push(what)
    look()
  }
  const unread = new Unread({ bytes: 1024 * 1024, timeout: 60_000, ...slow })
  t.teardown(() => unread.close())
  const out = new (class extends BackpressuredWriter {
    constructor() {
      super(stream, unread)
    }
    override send(bytes: Buffer | string) {
      super.send(bytes)
    }
    override watch() {
      super.watch()
    }
    override shut() {
      super.shut()
    }
    override drained() {
      onDrained()
      say('drained')
    }
    override slow() {
      say('too slow')
    }
  })()
  t.teardown(() => out.shut())
  // Its timer holds no process up; this one does, for the test.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  const until = (what: string) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (said.includes(what)) resolve()
      }
      look()
    })
  return { out, said, until }
}

/** More than the kernel takes for a client that reads nothing. */
const MUCH = Buffer.alloc(24 * 1024 * 1024)

t.test('a client that reads drains it', async (t) => {
  const { server, client } = await connection(t)
  const { out, said, until } = outlet(t, server, {})
  out.send('a little')
  t.equal(out.full, false)
  out.send(MUCH)
  t.equal(out.full, true)
  client.resume()
  await until('drained')
  t.equal(out.full, false)
  out.send(Buffer.from('more'))
  t.equal(out.full, false)
  t.strictSame(said, ['drained'])
})

t.test('one write is not too much, whatever it weighs; what is written on top is bounded', async (t) => {
  const { server } = await connection(t)
  const { out, said } = outlet(t, server, { bytes: 1000 })
  out.send(MUCH)
  out.send(Buffer.alloc(1000))
  t.strictSame(said, [])
  out.send('x')
  t.strictSame(said, ['too slow'])
})

t.test('it is full until all that waits has gone, past the stream and in it', async (t) => {
  const { server, client } = await connection(t)
  const { out, said, until } = outlet(t, server, {})
  out.send(MUCH)
  out.send(Buffer.alloc(512 * 1024))
  client.resume()
  await until('drained')
  t.equal(server.writableLength, 0)
  t.strictSame(said, ['drained'])
})

// libuv may send all of it at once, and tells of the first write before the stream has sent what waits behind the second.
t.test('in order: past the stream, in it, and what is written as soon as there is room', async (t) => {
  const { server, client } = await connection(t)
  const { out, until } = outlet(t, server, {}, () => out.send(Buffer.from('5')))
  out.send(Buffer.from('0'))
  out.send(Buffer.from('1'))
  const much = Buffer.alloc(MUCH.length, '2')
  out.send(much)
  t.equal(server.writableLength, 0, 'past the stream')
  t.ok(out.full)
  out.send(Buffer.from('3'))
  out.send(Buffer.from('4'))
  let got = ''
  client.on('data', (bytes) => {
    got += bytes
  })
  client.resume()
  await until('drained')
  const all = `01${much}345`
  while (got.length < all.length) await new Promise((resolve) => client.once('data', resolve))
  t.ok(got === all, got.replace(/2+/, '…'))
})

t.test('a write that went past it', async (t) => {
  const { server } = await connection(t)
  const { out, said } = outlet(t, server, { bytes: 1000 })
  out.watch()
  t.equal(out.full, false)
  server.write(MUCH)
  out.watch()
  t.equal(out.full, true)
  server.write(Buffer.alloc(1001))
  out.watch()
  t.strictSame(said, ['too slow'])
})

t.test('a client that takes nothing', async (t) => {
  const { server } = await connection(t)
  const { out, said, until } = outlet(t, server, { timeout: 50 })
  out.send(MUCH)
  await until('too slow')
  t.strictSame(said, ['too slow'])
})

t.test('a slow but living reader is not ended, also in the middle of one large write', async (t) => {
  const { server, client } = await connection(t)
  const timeout = 200
  const { out, said, until } = outlet(t, server, { timeout })
  const began = performance.now()
  out.send(MUCH)
  const reading = setInterval(() => {
    client.resume()
    client.once('data', () => client.pause())
  }, 3)
  t.teardown(() => clearInterval(reading))
  await until('drained')
  t.strictSame(said, ['drained'])
  t.ok(performance.now() - began > timeout, 'it took longer than a reader may take nothing')
})

t.test('a server that was blocked does not blame its clients', async (t) => {
  const { server, client } = await connection(t)
  const timeout = 100
  const { out, said, until } = outlet(t, server, { timeout })
  out.send(MUCH)
  client.resume()
  const drained = until('drained')
  while (said.length === 0) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * timeout)
    // How much the kernel hands over in a turn depends on the machine. It takes more when enough of it is read.
    const enough = client.bytesRead + MUCH.length / 4
    while (said.length === 0 && client.bytesRead < enough) await new Promise(setImmediate)
  }
  await drained
  t.strictSame(said, ['drained'])
})

t.test('closed, it says nothing more', async (t) => {
  const { server, client } = await connection(t)
  const { out, said } = outlet(t, server, { timeout: 20 })
  const listeners = server.listenerCount('drain')
  out.send(MUCH)
  t.equal(server.listenerCount('drain'), listeners + 1)
  out.shut()
  t.equal(server.listenerCount('drain'), listeners)
  let got = 0
  client.on('data', (bytes) => {
    got += bytes.length
  })
  client.resume()
  while (got < MUCH.length) await new Promise((resolve) => client.once('data', resolve))
  // A timer that was left would be due before this one.
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.strictSame(said, [])
})
