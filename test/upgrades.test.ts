import { fork } from 'node:child_process'
import { connect as connectSession } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { setTimeout as after, setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type Random, randomOf, seedOf } from '../benchmarks/model/random.ts'
import { LOADER, UNCOVERED } from './child.ts'
import type { Left, Owner } from './fixtures/owners.ts'
import { SocketClient } from './helper.ts'
import { handshake, maskedFrame, OPCODE } from './raw-socket.ts'
import { resetConnection } from './reset-connection.ts'
import { certificate } from './tls.ts'

// Sockets change hands: between Node, the plugin, Fastify, ws, and whoever else listens. Whatever a client sends, and
// wherever it leaves, the process lives on, every count is at zero afterwards, and the next client is served.
// FUZZ_SEED repeats a run, and FUZZ_COUNT makes it longer.
const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** Connections for each owner. */
const COUNT = Number(process.env.FUZZ_COUNT ?? 250)
/** Milliseconds after which an owner's run hangs. */
const HANGS = Math.max(40_000, 160 * COUNT)
/** Milliseconds that a client waits for its own side: what the server still has is looked at behind it. */
const PATIENCE = 1_000
const AT_ONCE = 8

const OWNERS_FIXTURE = fileURLToPath(new URL('./fixtures/owners.ts', import.meta.url))
const OWNERS: readonly Owner[] = ['plugin', 'app', 'websocket', 'listener', 'tls', 'http2']

const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
const PATHS = [
  '/poll',
  '/poll?cursor=earliest',
  '/longpoll?cursor=now&wait=0.01',
  '/longpoll?cursor=now',
  '/sse',
  '/',
  '/stats',
  '/nowhere',
]
const SOCKETS = [
  '/ws',
  '/ws?format=raw',
  '/echo',
  '/',
  '/nowhere',
  '/poll',
  '/theirs',
  '/demo/tap',
  '/lane/0123456789abcdef/ws',
]

class Generator {
  readonly #random: Random
  readonly #host: string

  constructor(random: Random, host: string) {
    this.#random = random
    this.#host = host
  }

  below(count: number): number {
    return Math.floor(this.#random() * count)
  }

  any<T>(all: readonly T[]): T {
    return all[this.below(all.length)]!
  }

  #plain(): string {
    if (this.below(6) === 0) {
      return `POST /publish HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n${this.any(['', H2C])}\r\nx`
    }
    return `GET ${this.any(PATHS)} HTTP/1.1\r\nHost: ${this.#host}\r\n\r\n`
  }

  #upgrade(): string {
    const path = this.any(SOCKETS)
    if (this.below(3) === 0) return `GET ${path} HTTP/1.1\r\nHost: ${this.#host}\r\n${H2C}\r\n`
    return handshake(path, {
      host: this.#host,
      ...this.any<Record<string, string>>([
        {},
        {},
        {},
        { 'sec-websocket-version': '8' },
        { 'sec-websocket-key': 'x' },
        { origin: 'https://foe.example' },
        { host: 'foe.example' },
      ]),
    })
  }

  /** What a client sends in all. */
  bytes(): Buffer {
    const parts: (string | Buffer)[] = Array.from({ length: this.below(5) }, () => this.#plain())
    if (this.below(10) > 0) parts.push(this.#upgrade())
    for (let i = this.below(3); i > 0; i--) {
      parts.push(
        this.any([this.#plain(), maskedFrame(OPCODE.text, '{"type":"ping"}'), maskedFrame(OPCODE.close)]),
      )
    }
    return Buffer.concat(parts.map((part) => Buffer.from(part)))
  }
}

const LEAVES = ['reset', 'end', 'destroy'] as const

async function atMost(what: Promise<unknown>): Promise<void> {
  const patience = new AbortController()
  await Promise.race([what, after(PATIENCE, undefined, { signal: patience.signal }).catch(() => {})])
  patience.abort()
}

/** One client: it sends in pieces, and leaves, wherever it is. */
async function visit(
  secure: boolean,
  port: number,
  random: Generator,
  bytes: Buffer,
  until: number,
): Promise<void> {
  const raw = connect(port, '127.0.0.1')
  const socket: Socket = secure ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw
  for (const each of [raw, socket]) each.on('error', () => {})
  const closed = new Promise<void>((resolve) => raw.once('close', () => resolve()))
  socket.resume()
  const pieces = 1 + random.below(3)
  for (let i = 0; i < pieces; i++) {
    const [from, to] = [Math.floor((until * i) / pieces), Math.floor((until * (i + 1)) / pieces)]
    // Node may never tell that a write to a TLS server that has gone is over.
    if (!socket.destroyed)
      await atMost(new Promise((resolve) => socket.write(bytes.subarray(from, to), resolve)))
    for (let turns = random.below(4); turns > 0; turns--) await turn()
  }
  switch (random.any(LEAVES)) {
    case 'reset':
      resetConnection(raw)
      break
    case 'end':
      socket.end()
      // The other side may go on to the end of a held poll.
      for (let turns = 200; turns > 0 && !raw.destroyed; turns--) await turn()
      raw.destroy()
      break
    case 'destroy':
      raw.destroy()
  }
  await atMost(closed)
}

/** A client of HTTP/2: requests beside each other, some given up, and then it leaves. */
async function visitStreams(port: number, random: Generator): Promise<void> {
  const raw = connect(port, '127.0.0.1')
  const socket = connectTls({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  for (const each of [raw, socket]) each.on('error', () => {})
  const session = connectSession('https://localhost', {
    createConnection: () => socket,
    settings: { initialWindowSize: random.any([0, 100, 65_535]) },
  })
  session.on('error', () => {})
  for (let requests = random.below(6); requests > 0 && !session.destroyed; requests--) {
    const stream = session.request({ ':path': random.any([...PATHS, ...SOCKETS]) })
    stream.on('error', () => {})
    if (random.below(2) === 0) stream.resume()
    for (let turns = random.below(6); turns > 0; turns--) await turn()
    if (random.below(4) === 0) stream.close()
  }
  if (random.below(2) === 0) for (let turns = random.below(60); turns > 0; turns--) await turn()
  const gone = new Promise<void>((resolve) => session.once('close', () => resolve()))
  if (random.any(LEAVES) === 'reset') resetConnection(raw)
  session.destroy()
  socket.destroy()
  await atMost(gone)
}

/** The server in a process of its own, and what it says of itself. */
async function start(t: Test, owner: Owner, seed: number) {
  const secure = owner === 'tls' || owner === 'http2'
  const { key, cert } = secure ? certificate(t) : { key: '', cert: '' }
  const args = [owner, String(seed), secure ? JSON.stringify({ key: String(key), cert: String(cert) }) : '']
  const child = fork(OWNERS_FIXTURE, args, {
    execArgv: LOADER,
    env: { ...process.env, ...UNCOVERED },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let said = ''
  child.stderr!.on('data', (text) => {
    said += text
  })
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`the server ended: ${code ?? signal} ${said}`)))
  })
  ended.catch(() => {})
  t.teardown(async () => {
    const gone = ended.catch(() => {})
    if (child.connected) child.disconnect()
    await gone
  })
  const next = () =>
    Promise.race([
      ended,
      new Promise<Left>((resolve) => child.once('message', (left) => resolve(left as Left))),
    ])
  const { port } = await next()
  return {
    port,
    secure,
    ended,
    left: () => {
      const answer = next()
      child.send('left')
      return answer
    },
  }
}

for (const [index, owner] of OWNERS.entries()) {
  t.test(`${owner}: FUZZ_SEED=${SEED}`, async (t) => {
    const seed = seedOf(SEED, index)
    const server = await start(t, owner, seed)
    const host = `127.0.0.1:${server.port}`
    const random = new Generator(randomOf(seed), host)
    // Each byte of one pipeline, and then anything.
    const swept = Buffer.from(
      `GET /poll HTTP/1.1\r\nHost: ${host}\r\n\r\nGET / HTTP/1.1\r\nHost: ${host}\r\n${H2C}\r\n${handshake('/ws', { host })}`,
    )
    let visits = 0
    let visiting = 0
    let left: Left | undefined
    const hangs = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => {
        const open = JSON.stringify(left, null, 2)
        reject(
          new Error(`it hangs: FUZZ_SEED=${SEED}, ${visiting} of ${visits} clients are there, open: ${open}`),
        )
      }, HANGS)
      t.teardown(() => clearTimeout(timer))
    })
    const orNever = <T>(what: Promise<T>): Promise<T> => Promise.race([server.ended, hangs, what])
    const client = async () => {
      while (visits < COUNT) {
        visits++
        visiting++
        if (owner === 'http2' && random.below(2) === 0) await visitStreams(server.port, random)
        else if (visits % 2 === 0) {
          const bytes = random.bytes()
          await visit(server.secure, server.port, random, bytes, random.below(bytes.length + 1))
        } else await visit(server.secure, server.port, random, swept, (visits >> 1) % swept.length)
        visiting--
      }
    }
    await orNever(Promise.all(Array.from({ length: AT_ONCE }, client)))

    do left = await orNever(server.left())
    while (
      // Node 24 keeps the socket of a session that it has destroyed itself, where a write to it waits for good.
      left.watching + left.open + (owner === 'http2' ? 0 : left.connections) >
      0
    )
    t.strictSame(left.faults, [])
    const url = `${server.secure ? 'wss' : 'ws'}://${host}`
    // `authorize` refuses some.
    for (;;) {
      const next = new SocketClient(`${url}/ws`, [], { rejectUnauthorized: false })
      const opened = await orNever(
        next.opened.then(
          () => true,
          () => false,
        ),
      )
      if (!opened) continue
      t.match(await orNever(next.json()), { type: 'ready' }, `after ${visits} clients the next is served`)
      next.ws.terminate()
      break
    }
  })
}
