import { type Common, deliverAll, gate, Line, type Reader } from './reader.ts'

const BREAK = '\r\n'
const DATA = 'data: '
const ID = '\nid: '
/** The heartbeat has no empty line behind it: it stands in front of the event that comes next. */
const BEATS = /^(?::\n)*/

/** Reads one stream of server-sent events, in HTTP/1.1's chunked coding. */
export function sseReader(common: Common, reader: number, channel: string): Reader {
  const { promise: ready, open } = gate()
  /** What came and is not decoded, and what is decoded and no whole event yet. */
  let raw = ''
  let text = ''
  let headed = false
  let received = 0

  const line = new Line(common, {
    data: (part, at) => {
      raw += part.toString('latin1')
      if (!headed) {
        const end = raw.indexOf(BREAK + BREAK)
        if (end === -1) return
        const head = raw.slice(0, end)
        if (!head.startsWith('HTTP/1.1 200') || !/\r\ntransfer-encoding: chunked/i.test(head)) {
          throw new Error(`/sse answered ${head.split(BREAK, 1)[0]}, or no chunks`)
        }
        headed = true
        raw = raw.slice(end + 4)
      }
      decode()
      const end = text.lastIndexOf('\n\n')
      if (end === -1) return
      for (const event of text.slice(0, end).split('\n\n')) take(event, at)
      text = text.slice(end + 2)
    },
    answers: common.prompt ?? false,
  })

  const decode = () => {
    for (;;) {
      const end = raw.indexOf(BREAK)
      if (end === -1) return
      const size = Number.parseInt(raw.slice(0, end), 16)
      if (raw.length < end + 4 + size) return
      text += raw.slice(end + 2, end + 2 + size)
      raw = raw.slice(end + 4 + size)
    }
  }

  const take = (block: string, at: number) => {
    const event = block.replace(BEATS, '')
    if (event.startsWith('event: ready')) open()
    else if (event.startsWith('event: ')) throw new Error(`/sse sent ${event}`)
    else if (event.startsWith(DATA)) {
      common.tally.envelopes += event.lastIndexOf(ID) - DATA.length
      received += deliverAll(common, reader, event, at)
    }
  }
  line.request('sse', `channel=${channel}&cursor=now`)

  return {
    ready,
    stop() {
      line.stop()
      // A stream's one request is empty only where nothing ever came.
      if (received === 0) common.tally.empty++
    },
  }
}
