import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What a Redis says, of RESP2 and RESP3; maps are flat lists, as in RESP2. */
export type Reply = string | number | null | ReplyError | Reply[]

export class ReplyError extends Error {}

/** Something that the other side says by itself: it answers no command. */
export class Push {
  readonly items: Reply[]

  constructor(items: Reply[]) {
    this.items = items
  }
}

/** A reply that stands at a place, and where the next one begins; undefined where it is not whole yet. */
export function parseReply(bytes: Buffer, at: number): { reply: Reply | Push; next: number } | undefined {
  const end = bytes.indexOf('\r\n', at)
  if (end === -1) return undefined
  const kind = String.fromCharCode(bytes[at]!)
  const line = bytes.toString('utf8', at + 1, end)
  const next = end + 2
  switch (kind) {
    case ':':
      return { reply: Number(line), next }
    case '-':
      return { reply: new ReplyError(line), next }
    case '$':
    case '=':
    case '!': {
      const size = Number(line)
      if (size < 0) return { reply: null, next }
      if (bytes.length < next + size + 2) return undefined
      return { reply: bytes.toString('utf8', next, next + size), next: next + size + 2 }
    }
    case '*':
    case '~':
    case '%':
    case '>': {
      const size = Number(line) * (kind === '%' ? 2 : 1)
      if (size < 0) return { reply: null, next }
      const items: Reply[] = []
      let from = next
      for (let i = 0; i < size; i++) {
        const item = parseReply(bytes, from)
        if (item === undefined) return undefined
        items.push(item.reply as Reply)
        from = item.next
      }
      return { reply: kind === '>' ? new Push(items) : items, next: from }
    }
    case '_':
      return { reply: null, next }
    default:
      // Simple strings, booleans, doubles and big numbers: their text.
      return { reply: line, next }
  }
}

/** Cuts what comes in parts into the units that it is made of. */
export class Units<T> {
  readonly #parse: (bytes: Buffer, at: number) => { reply: T; next: number } | undefined
  #rest: Buffer = Buffer.alloc(0)

  constructor(parse: (bytes: Buffer, at: number) => { reply: T; next: number } | undefined) {
    this.#parse = parse
  }

  /** Those that are whole with this part, each with its bytes. */
  take(part: Buffer): { unit: T; bytes: Buffer }[] {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, part]) : part
    const units = []
    let at = 0
    for (;;) {
      const found = at < bytes.length ? this.#parse(bytes, at) : undefined
      if (found === undefined) break
      units.push({ unit: found.reply, bytes: bytes.subarray(at, found.next) })
      at = found.next
    }
    this.#rest = bytes.subarray(at)
    return units
  }
}

export function encode(args: readonly (string | number)[]): Buffer {
  const parts = args.map((arg) => {
    const text = `${arg}`
    return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
  })
  return Buffer.from(`*${args.length}\r\n${parts.join('')}`)
}

/** A connection to a Redis, for what a test does to it and asks of it. */
export class Control {
  readonly #socket: Socket
  readonly #units = new Units(parseReply)
  readonly #waiting: { resolve(reply: Reply): void; reject(error: Error): void }[] = []
  #over = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (part) => {
      for (const { unit } of this.#units.take(part)) {
        if (unit instanceof Push) continue
        const { resolve, reject } = this.#waiting.shift()!
        if (unit instanceof ReplyError) reject(unit)
        else resolve(unit)
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#over = true
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the connection has ended'))
    })
  }

  static async open(port: number): Promise<Control> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new Control(socket)
  }

  get over(): boolean {
    return this.#over
  }

  call(...args: (string | number)[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#over) reject(new Error('the connection has ended'))
      this.#waiting.push({ resolve, reject })
      this.#socket.write(encode(args))
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
