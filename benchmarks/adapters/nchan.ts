import { nchan } from '../fanout/nchan.ts'
import type { Adapter, ReaderApi } from './adapter.ts'

const CHANNEL = '?channel=bench'
const TEXT = { 'Content-Type': 'text/plain' }

/** nginx with nchan from Debian's libnginx-mod-nchan, with one worker. */
export default {
  async start() {
    const { port, pid, close } = await nchan()
    // A new subscriber receives the last message, so one must exist.
    await fetch(`http://127.0.0.1:${port}/publish${CHANNEL}`, {
      method: 'POST',
      body: 'first',
      headers: TEXT,
    })
    return { port, pid, stop: close }
  },
  publish: (text) => ({ path: `/publish${CHANNEL}`, body: text, headers: TEXT }),
  readers: {
    longpoll: asking,
    sse(reader) {
      reader.events(`/last/eventsource${CHANNEL}`, { open() {}, event: afterFirst(reader) })
    },
    ws(reader) {
      reader.socket(`/last/websocket${CHANNEL}`, { open() {}, message: afterFirst(reader) })
    },
  },
} satisfies Adapter

/** Treats the first message, which is an old one, as the confirmation of the subscription. */
function afterFirst(reader: ReaderApi): (text: string) => void {
  let first = true
  return (text) => {
    if (!first) reader.message(text)
    else reader.ready()
    first = false
  }
}

/** Long-polls in a loop. nchan sends its cursor in Last-Modified and Etag and reads it from the conditional headers. */
function asking(reader: ReaderApi): void {
  const take = afterFirst(reader)
  const ask = (headers: Record<string, string>) =>
    reader.request({ path: `/last/longpoll${CHANNEL}`, headers }, ({ status, body, header }) => {
      if (status === 200) take(body)
      const [since, tag] = [header('last-modified'), header('etag')]
      ask(since === undefined ? headers : { 'If-Modified-Since': since, 'If-None-Match': tag ?? '0' })
    })
  ask({})
}
