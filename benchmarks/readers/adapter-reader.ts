import {
  type Adapter,
  type AdapterRequest,
  indexesOf,
  type ReaderApi,
  requestText,
} from '../adapters/adapter.ts'
import { deferred, type Reader, ReaderConnection, type ReaderContext, type Transport } from './reader.ts'
import { closesConnection, headerOf, ResponseParser } from './response-parser.ts'
import { ChunkDecoder } from './sse.ts'
import { clientFrame, FrameParser, upgradeRequest } from './ws.ts'

const END = '\r\n\r\n'

/** Opens a reader of a server with an adapter. */
export function adapterReader(
  adapter: Adapter,
  kind: Transport,
  common: ReaderContext,
  reader: number,
  phase: number,
): Reader {
  const { promise: ready, open } = deferred()
  const { host, port } = common.target
  const authority = `${host}:${port}`
  const waiting: ((answer: { status: number; head: string; body: string }) => void)[] = []
  let take: (part: Buffer) => void = answering()
  let at = 0
  let first = true
  let timer: NodeJS.Timeout | undefined

  const line = new ReaderConnection(common, {
    data(part, time) {
      at = time
      take(part)
    },
    answers: common.prompt === true || kind === 'poll' || kind === 'longpoll',
    // The server may close the connection after a response.
    closed: () => waiting.length === 0 && (kind === 'poll' || kind === 'longpoll'),
  })

  function answering(): (part: Buffer) => void {
    const answers = new ResponseParser((answer) => {
      if (closesConnection(answer.head)) line.socket.destroy()
      waiting.shift()!(answer)
    })
    return (part) => answers.take(part.toString('latin1'))
  }

  const write = (text: string) => {
    if (line.stopped) return
    if (line.socket.destroyed || !line.socket.writable) {
      take = answering()
      line.open()
    }
    common.tally.requests++
    line.socket.write(text, 'latin1')
  }

  /** Sends a GET request and passes on everything after the response's head. */
  const behind = (path: string, more: string, opened: (head: string) => (part: Buffer) => void) => {
    let text = ''
    take = (part) => {
      text += part.toString('latin1')
      const end = text.indexOf(END)
      if (end === -1) return
      take = opened(text.slice(0, end + 2))
      if (text.length > end + END.length) take(Buffer.from(text.slice(end + END.length), 'latin1'))
    }
    write(requestText({ path }, authority, more))
  }

  const reading: ReaderApi = {
    index: reader,
    ready: open,
    message(text) {
      const found = indexesOf(adapter, text)
      common.tally.envelopes += text.length
      common.tally.deliveries += found.length
      for (const index of found) common.deliver(reader, index, at)
    },
    request(exchange: AdapterRequest, answered) {
      const before = common.tally.deliveries
      waiting.push(({ status, head, body }) => {
        answered({ status, body, header: (name) => headerOf(head, name.toLowerCase()) })
        if (common.tally.deliveries === before) common.tally.empty++
      })
      write(requestText(exchange, authority))
    },
    pause(then) {
      const wait = common.interval * (first ? phase : 1)
      first = false
      timer = setTimeout(then, wait * 1e3)
    },
    events(path, { open: opened = open, event }) {
      behind(path, 'Accept: text/event-stream\r\n', (head) => {
        if (!head.startsWith('HTTP/1.1 200')) throw new Error(`${path} returned ${head.split('\r\n', 1)[0]}`)
        opened()
        let text = ''
        const blocks = (part: string) => {
          text += part
          const all = text.split(/\r?\n\r?\n/)
          text = all.pop()!
          for (const block of all) dispatch(block, event)
        }
        if (!/\r\ntransfer-encoding: chunked/i.test(head)) return (part) => blocks(part.toString('latin1'))
        const chunks = new ChunkDecoder(blocks)
        return (part) => chunks.take(part.toString('latin1'))
      })
    },
    socket(path, { protocol, open: opened = open, message }) {
      const { headers, accept } = upgradeRequest()
      const send = (text: string) => line.socket.write(clientFrame(1, Buffer.from(text, 'latin1')))
      const frames = new FrameParser((opcode, payload) => {
        if (opcode === 9) line.socket.write(clientFrame(10, payload))
        else if (opcode === 1 || opcode === 2) message(payload.toString('latin1'), send)
        else throw new Error(`${path} sent a frame of opcode ${opcode}: ${payload.subarray(2)}`)
      })
      const own = protocol === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`
      behind(path, headers + own, (head) => {
        if (!head.startsWith('HTTP/1.1 101') || !head.includes(accept)) {
          throw new Error(`${path} returned ${head.split('\r\n', 1)[0]}`)
        }
        opened(send)
        return (part) => frames.take(part)
      })
    },
  }
  adapter.readers[kind]!(reading)
  return {
    ready,
    stop() {
      clearTimeout(timer)
      line.stop()
    },
  }
}

/** Parses an event and passes on its data and name. Ignores blocks without data, such as comments. */
function dispatch(block: string, event: (data: string, name: string | undefined) => void): void {
  const lines = block.split(/\r?\n/)
  const values = (field: string) =>
    lines.flatMap((line) =>
      line.startsWith(`${field}:`) ? [line.slice(field.length + 1).replace(/^ /, '')] : [],
    )
  const data = values('data')
  if (data.length > 0) event(data.join('\n'), values('event').at(-1))
}
