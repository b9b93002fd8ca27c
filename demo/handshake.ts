import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { ERR_BUSY, ERR_CASE } from './errors.ts'
import { checkOrigin } from './own-origin.ts'

/** The target of the handshakes. */
export interface HandshakeOptions {
  /** The path of a WebSocket route of this app. */
  socket: string
}

/** Maximum milliseconds of an exchange, concurrent exchanges, and bytes read of a response. */
const LIMITS = { time: 2_000, running: 4, bytes: 16_384 }

/** The headers that each case changes in a browser's handshake. Undefined removes the header. */
const CASES: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
  'version-13': {},
  'version-17': { 'Sec-WebSocket-Version': '17' },
  'version-8': { 'Sec-WebSocket-Version': '8' },
  'no-key': { 'Sec-WebSocket-Key': undefined },
  'malformed-key': { 'Sec-WebSocket-Key': 'not-sixteen-bytes' },
  'foreign-origin': { Origin: 'https://elsewhere.example' },
  'protocol-chat': { 'Sec-WebSocket-Protocol': 'chat' },
  'protocol-tidings': { 'Sec-WebSocket-Protocol': 'tidings' },
  'protocol-both': { 'Sec-WebSocket-Protocol': 'chat, tidings' },
  'plain-get': {
    Connection: 'close',
    Upgrade: undefined,
    'Sec-WebSocket-Version': undefined,
    'Sec-WebSocket-Key': undefined,
    'Sec-WebSocket-Extensions': undefined,
  },
}

export const CASE_NAMES: readonly string[] = Object.keys(CASES)

/**
 * Page code can't set the headers of a handshake. This route sends one of a fixed list of handshakes to the server,
 * over a plain TCP socket, and returns the bytes of both sides. It uses no host or header of the incoming request.
 */
export async function handshake(app: FastifyInstance, { socket: path }: HandshakeOptions): Promise<void> {
  const running = new Set<Socket>()
  // Closing waits for pending requests, so answer them with the bytes received so far.
  app.addHook('preClose', (done) => {
    for (const socket of running) socket.destroy()
    done()
  })
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })

  app.get('/handshake', { exposeHeadRoute: false }, () => ({ cases: CASE_NAMES }))

  app.post<{ Params: { case: string } }>('/handshake/:case', {
    onRequest(request, _reply, done) {
      checkOrigin(request)
      done()
    },
    async handler(request, reply) {
      const name = request.params.case
      if (!Object.hasOwn(CASES, name)) throw new ERR_CASE(CASE_NAMES.join(', '))
      if (running.size >= LIMITS.running) {
        reply.header('retry-after', '1')
        throw new ERR_BUSY()
      }
      const { host, port } = ownAddress(app)
      const sent = headOf(path, host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, CASES[name]!)
      const socket = connect(port, host)
      running.add(socket)
      try {
        return { case: name, request: shown(sent), response: shown(await exchange(socket, sent)) }
      } finally {
        running.delete(socket)
      }
    },
  })
}

/** Returns an address at which this server reaches itself. A wildcard address can't be connected to. */
function ownAddress(app: FastifyInstance): { host: string; port: number } {
  const { address, port } = app.server.address() as { address: string; port: number }
  return { host: address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address, port }
}

function headOf(path: string, host: string, changes: Readonly<Record<string, string | undefined>>): Buffer {
  const headers: Record<string, string | undefined> = {
    Host: host,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    Origin: `http://${host}`,
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    ...changes,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}\r\n`],
  )
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
}

/** Reads until the response is complete, the socket ends, or time is up. Never rejects. */
function exchange(socket: Socket, sent: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    let got = Buffer.alloc(0)
    const timer = setTimeout(() => socket.destroy(), LIMITS.time)
    socket.on('data', (part) => {
      got = Buffer.concat([got, part]).subarray(0, LIMITS.bytes)
      if (got.length >= Math.min(sizeOf(got), LIMITS.bytes)) socket.destroy()
    })
    // The 'close' event follows.
    socket.on('error', () => {})
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(got)
    })
    socket.write(sent)
  })
}

/** Returns the size of the whole response, if its headers state it. After a 101, the bytes are not HTTP. */
function sizeOf(got: Buffer): number {
  const end = got.indexOf('\r\n\r\n')
  if (end === -1) return Number.POSITIVE_INFINITY
  const [, length] = /^content-length: *([0-9]+)/im.exec(got.toString('latin1', 0, end)) ?? []
  return end + 4 + Number(length ?? 0)
}

function shown(bytes: Buffer): { text: string; base64: string } {
  return { text: bytes.toString('latin1'), base64: bytes.toString('base64') }
}
