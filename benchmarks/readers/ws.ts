import { createHash, randomBytes } from 'node:crypto'
import { deferred, deliverAll, type Reader, ReaderConnection, type ReaderContext } from './reader.ts'

const END = '\r\n\r\n'
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Returns the request headers of an upgrade, and the expected accept header. */
export function upgradeRequest(): { headers: string; accept: string } {
  const key = randomBytes(16).toString('base64')
  return {
    headers: `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`,
    accept: createHash('sha1')
      .update(key + GUID)
      .digest('base64'),
  }
}

/** Encodes a client's frame, which is masked (RFC 6455 section 5.3). A zero mask leaves the payload unchanged. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0), payload])
}

/** Parses a server's frames, which are unmasked and unfragmented. */
export class FrameParser {
  readonly #done: (opcode: number, payload: Buffer) => void
  #bytes: Buffer = Buffer.alloc(0)

  constructor(done: (opcode: number, payload: Buffer) => void) {
    this.#done = done
  }

  take(part: Buffer): void {
    let bytes = this.#bytes.length === 0 ? part : Buffer.concat([this.#bytes, part])
    for (;;) {
      const short = (bytes[1] ?? 0) & 127
      const head = short < 126 ? 2 : short === 126 ? 4 : 10
      if (bytes.length < head) break
      const size = head === 2 ? short : head === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
      if (bytes.length < head + size) break
      this.#done(bytes[0]! & 15, bytes.subarray(head, head + size))
      bytes = bytes.subarray(head + size)
    }
    this.#bytes = bytes
  }
}

/** Reads a WebSocket and responds to pings. */
export function wsReader(common: ReaderContext, reader: number, channel: string): Reader {
  const { promise: ready, open } = deferred()
  const { headers, accept } = upgradeRequest()
  let upgraded = false
  let head = ''
  let seen = 0

  const frames = new FrameParser((opcode, payload) => {
    if (opcode === 9) line.socket.write(clientFrame(10, payload))
    else if (opcode === 1) {
      const text = payload.toString('latin1')
      if (text.startsWith('{"cursor"')) {
        common.tally.envelopes += text.length
        deliverAll(common, reader, text, seen)
      } else if (text.startsWith('{"type":"ready"')) open()
      else throw new Error(`/ws sent ${text}`)
    } else throw new Error(`/ws sent a frame of opcode ${opcode}: ${payload.subarray(2)}`)
  })
  const line = new ReaderConnection(common, {
    data: (part, at) => {
      seen = at
      if (upgraded) {
        frames.take(part)
        return
      }
      head += part.toString('latin1')
      const end = head.indexOf(END)
      if (end === -1) return
      if (!head.startsWith('HTTP/1.1 101') || !head.includes(accept)) {
        throw new Error(`/ws returned ${head.split('\r\n', 1)[0]}`)
      }
      upgraded = true
      frames.take(Buffer.from(head.slice(end + END.length), 'latin1'))
    },
    answers: common.prompt ?? false,
  })
  line.request('ws', `channel=${channel}&cursor=now`, `${headers}Sec-WebSocket-Protocol: tidings\r\n`)

  return { ready, stop: () => line.stop() }
}
