import type { Direction } from './delayed-socket.ts'

/**
 * A piece of a connection's traffic. `request` and `response` are heads, and `upgrade` is a head of a handshake. `body`
 * is a whole body of known length, `chunk` a chunk of a stream, and `frame` a WebSocket frame.
 */
export type Kind = 'request' | 'response' | 'upgrade' | 'body' | 'chunk' | 'frame'

export interface Piece {
  readonly direction: Direction
  readonly kind: Kind
  /** The number of its request on this connection, from 1. */
  readonly exchange: number
  /** Its size in bytes. */
  readonly size: number
  /** Its first bytes. */
  readonly bytes: Buffer
}

/** Maximum bytes kept of a piece. */
export const KEPT = 4096

const SECRET = /^((?:proxy-)?authorization|(?:set-)?cookie):[ \t]*(.+)$/gim

/** Parses the traffic of a connection: HTTP/1.1, and WebSocket after an upgrade. */
export class Transcript {
  readonly #sides: Record<Direction, Side>

  constructor(told: (piece: Piece) => void) {
    const methods: string[] = []
    this.#sides = { up: new Side('up', methods, told), down: new Side('down', methods, told) }
  }

  read(direction: Direction, bytes: Buffer): void {
    this.#sides[direction].read(bytes)
  }
}

type State = 'head' | 'body' | 'chunks' | 'stream' | 'frames'

class Side {
  readonly #direction: Direction
  /** Methods of the requests without a response. */
  readonly #methods: string[]
  readonly #told: (piece: Piece) => void
  #state: State = 'head'
  #exchange = 0
  /** State of the next body. */
  #length = 0
  /** Bytes that do not yet reveal the length of their piece. */
  #rest: Buffer = Buffer.alloc(0)
  #kept: Buffer[] = []
  #size = 0
  /** State of the current piece. */
  #left = 0

  constructor(direction: Direction, methods: string[], told: (piece: Piece) => void) {
    this.#direction = direction
    this.#methods = methods
    this.#told = told
  }

  read(more: Buffer): void {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, more]) : more
    this.#rest = Buffer.alloc(0)
    while (bytes.length > 0) {
      if (this.#left === 0) this.#left = this.#measure(bytes)
      if (this.#left === 0) {
        this.#rest = bytes
        return
      }
      const part = bytes.subarray(0, this.#left)
      bytes = bytes.subarray(part.length)
      if (this.#state === 'head') this.#kept.push(part)
      else if (this.#size < KEPT) this.#kept.push(part.subarray(0, KEPT - this.#size))
      this.#size += part.length
      this.#left -= part.length
      if (this.#left === 0) this.#finish()
    }
  }

  /** Returns the length of the piece that begins here, or 0 if it is not known yet. */
  #measure(bytes: Buffer): number {
    switch (this.#state) {
      case 'head': {
        const end = bytes.indexOf('\r\n\r\n')
        return end === -1 ? 0 : end + 4
      }
      case 'body':
        return this.#length
      case 'chunks': {
        const end = bytes.indexOf('\r\n')
        if (end === -1) return 0
        this.#length = Number.parseInt(bytes.toString('latin1', 0, end), 16)
        return end + this.#length + 4
      }
      case 'stream':
        return bytes.length
      case 'frames':
        return frameLength(bytes)
    }
  }

  #finish(): void {
    const bytes = Buffer.concat(this.#kept)
    const size = this.#size
    this.#kept = []
    this.#size = 0
    if (this.#state === 'head') {
      this.#head(bytes)
      return
    }
    const kind = this.#state === 'body' ? 'body' : this.#state === 'frames' ? 'frame' : 'chunk'
    this.#tell(kind, size, bytes)
    if (this.#state === 'body' || (this.#state === 'chunks' && this.#length === 0)) this.#state = 'head'
  }

  #head(bytes: Buffer): void {
    const head = bytes.toString('latin1')
    const [first = ''] = head.split('\r\n', 1)
    const up = this.#direction === 'up'
    const status = up ? 0 : Number(first.split(' ')[1])
    const interim = !up && status < 200 && status !== 101
    const asks = /^upgrade:/im.test(head)
    if (!interim) this.#exchange++
    if (up) this.#methods.push(first.split(' ', 1)[0]!)
    const method = up || interim ? '' : this.#methods.shift()

    const length = /^content-length:[ \t]*([0-9]+)/im.exec(head)
    this.#length = Number(length?.[1] ?? 0)
    const bodiless = interim || method === 'HEAD' || status === 204 || status === 304
    if (up ? asks : status === 101) this.#state = 'frames'
    else if (bodiless) this.#state = 'head'
    else if (/^transfer-encoding:[ \t]*chunked/im.test(head)) this.#state = 'chunks'
    else if (length !== null) this.#state = this.#length > 0 ? 'body' : 'head'
    else this.#state = up ? 'head' : 'stream'

    const blanked = Buffer.from(
      head.replace(SECRET, (_, name: string, value: string) => `${name}: ${'*'.repeat(value.length)}`),
      'latin1',
    )
    const kind = this.#state === 'frames' ? 'upgrade' : up ? 'request' : 'response'
    this.#tell(kind, bytes.length, blanked.subarray(0, KEPT))
  }

  #tell(kind: Kind, size: number, bytes: Buffer): void {
    this.#told({ direction: this.#direction, kind, exchange: this.#exchange, size, bytes })
  }
}

/** Returns the length of a frame with its header (RFC 6455 section 5.2), or 0 if the header is incomplete. */
function frameLength(bytes: Buffer): number {
  if (bytes.length < 2) return 0
  const short = bytes[1]! & 0x7f
  const header = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (bytes[1]! & 0x80 ? 4 : 0)
  if (bytes.length < header) return 0
  if (short < 126) return header + short
  return header + (short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2)))
}
