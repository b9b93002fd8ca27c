import { connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { build, live } from './helper.ts'
import { handshake } from './raw-socket.ts'

setFlagsFromString('--expose_gc')
const collect: () => void = runInNewContext('gc')

const COUNT = 200
const JUNK = 14_000

/** Bytes of heap that one idle reader takes. */
async function heapOf(t: Test, head: (n: number) => string): Promise<number> {
  const { app, port } = await build(t, { stats: true })
  const measure = async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise(setImmediate)
      collect()
    }
    return process.memoryUsage().heapUsed
  }
  const open = async (from: number, count: number) => {
    for (let i = from; i < from + count; i++) {
      const socket = connect(port, '127.0.0.1')
      t.teardown(() => socket.destroy())
      socket.on('error', () => {})
      socket.resume()
      socket.write(head(i))
      await live(app, i + 1)
    }
  }
  await open(0, 20)
  const before = await measure()
  await open(20, COUNT)
  return ((await measure()) - before) / COUNT
}

const junk = (n: number) => `${n}`.padEnd(JUNK, 'x')

for (const [name, path] of [
  ['a stream', '/sse?'],
  ['a held poll', '/longpoll?cursor=now&'],
] as const) {
  t.test(`${name} keeps nothing of a long request`, async (t) => {
    const of = (query: string, header: string) =>
      `GET ${path}${query} HTTP/1.1\r\nHost: x\r\nX-Junk: ${header}\r\n\r\n`
    const short = await heapOf(t, () => of('', ''))
    for (const [what, head] of [
      ['a long query', (n: number) => of(`junk=${junk(n)}`, '')],
      ['a long header', (n: number) => of('', junk(n))],
    ] as const) {
      const long = await heapOf(t, head)
      t.ok(long - short < JUNK / 4, `${what}: ${Math.round(long)} bytes, not ${Math.round(short)}`)
    }
  })
}

t.test('a socket keeps nothing of a long request', async (t) => {
  const short = await heapOf(t, () => handshake('/ws'))
  const long = await heapOf(t, (n) => handshake(`/ws?junk=${junk(n)}`))
  const header = await heapOf(t, (n) => handshake('/ws', { 'x-junk': junk(n) }))
  for (const each of [long, header]) {
    t.ok(each - short < JUNK / 4, `${Math.round(each)} bytes, not ${Math.round(short)}`)
  }
})

t.test('an injected request leaves nothing behind', async (t) => {
  const { app } = await build(t, { stats: true }, { before: (app) => void app.addHook('onRequest', keep) })
  const sockets: WeakRef<object>[] = []
  async function keep(request: { raw: { socket: object } }) {
    sockets.push(new WeakRef(request.raw.socket))
  }
  for (let i = 0; i < 10; i++) t.equal((await app.inject('/poll')).statusCode, 200)
  t.equal(sockets.length, 10)
  for (let i = 0; i < 5; i++) {
    await new Promise(setImmediate)
    collect()
  }
  // The last one may still be on the stack.
  t.ok(sockets.filter((socket) => socket.deref() !== undefined).length <= 1)
})
