import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import { type Frame, Queue } from './helper.ts'

/** A frame as it came over the wire. */
export interface WireFrame {
  fin: boolean
  rsv1: boolean
  opcode: number
  /** Bytes before the payload. */
  header: number
  payload: Buffer
}

export const OPCODE = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** A WebSocket client on a bare TCP connection: it sends what it is told to, and answers nothing by itself. */
export class RawSocket {
  readonly socket: Socket
  /** The head of the answer to the handshake. */
  readonly head: Promise<string>
  readonly closed: Promise<void>
  readonly #frames = new Queue<WireFrame>()
  #rest = Buffer.alloc(0)
  #upgraded = false

  constructor(port: number, path: string, headers: Record<string, string> = {}) {
    const socket = connect(port, '127.0.0.1')
    this.socket = socket
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    this.head = new Promise((resolve) => {
      socket.on('data', (part) => {
        this.#rest = Buffer.concat([this.#rest, part])
        const end = this.#rest.indexOf('\r\n\r\n')
        if (!this.#upgraded && end !== -1) {
          this.#upgraded = true
          resolve(this.#rest.subarray(0, end).toString('latin1'))
          this.#rest = this.#rest.subarray(end + 4)
        }
        if (this.#upgraded) this.#parse()
      })
    })
    socket.write(handshake(path, headers))
  }

  #parse(): void {
    for (;;) {
      const bytes = this.#rest
      if (bytes.length < 2) return
      const short = bytes[1]! & 0x7f
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      if (bytes.length < header) return
      const size =
        header === 2 ? short : header === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
      if (bytes.length < header + size) return
      const payload = bytes.subarray(header, header + size)
      this.#rest = bytes.subarray(header + size)
      this.#frames.push({
        fin: bytes[0]! >= 0x80,
        rsv1: (bytes[0]! & 0x40) !== 0,
        opcode: bytes[0]! & 0x0f,
        header,
        payload,
      })
    }
  }

  next(): Promise<WireFrame> {
    return this.#frames.next()
  }

  /** The next frame, parsed. */
  async json(): Promise<Frame> {
    return JSON.parse((await this.next()).payload.toString())
  }

  get rest(): readonly WireFrame[] {
    return this.#frames.rest
  }

  send(...frames: (object | string)[]): void {
    this.socket.write(
      Buffer.concat(
        frames.map((frame) =>
          maskedFrame(OPCODE.text, typeof frame === 'string' ? frame : JSON.stringify(frame)),
        ),
      ),
    )
  }
}

/** A client's handshake. */
export function handshake(path: string, headers: Record<string, string> = {}): string {
  const all = {
    host: '127.0.0.1',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** A frame as a client sends it. */
export function maskedFrame(opcode: number, data: string | Buffer = '', fin = true): Buffer {
  const payload = Buffer.from(data)
  const size = payload.length
  const header = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10)
  header[0] = (fin ? 0x80 : 0) | opcode
  if (size < 126) header[1] = 0x80 | size
  else if (size < 65_536) {
    header[1] = 0x80 | 126
    header.writeUInt16BE(size, 2)
  } else {
    header[1] = 0x80 | 127
    header.writeBigUInt64BE(BigInt(size), 2)
  }
  const mask = randomBytes(4)
  return Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i % 4]!)])
}

/** An upgraded connection that ends with the test. */
export async function openRawSocket(
  t: Test,
  port: number,
  path: string,
  headers?: Record<string, string>,
): Promise<RawSocket> {
  const raw = new RawSocket(port, path, headers)
  t.teardown(() => raw.socket.destroy())
  const head = await raw.head
  if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(head)
  return raw
}
