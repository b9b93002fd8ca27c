import Fastify from 'fastify'
import { tidings } from 'fastify-tidings'
import type { Adapter, ReaderApi } from './adapter.ts'

const CURSOR = /^\{"cursor":"([^"]*)"/

/** This plugin behind the same adapter interface as every other server. */
export default {
  async start() {
    const app = Fastify()
    await app.register(tidings, { publish: true })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return { port: (app.server.address() as { port: number }).port, stop: () => app.close() }
  },
  publish: (text) => ({
    path: '/publish?channel=bench',
    body: text,
    headers: { 'Content-Type': 'text/plain' },
  }),
  readers: {
    poll: (reader) => asking(reader, '/poll?channel=bench', (then) => reader.pause(then)),
    longpoll: (reader) => asking(reader, '/longpoll?channel=bench', (then) => then()),
    sse: (reader) =>
      reader.events('/sse?channel=bench&cursor=now', {
        open() {},
        event(data, name) {
          if (name === 'ready') reader.ready()
          else reader.message(data)
        },
      }),
    ws: (reader) =>
      reader.socket('/ws?channel=bench&cursor=now', {
        protocol: 'tidings',
        open() {},
        message(text) {
          if (text.startsWith('{"type":"ready"')) reader.ready()
          else reader.message(text)
        },
      }),
  },
} satisfies Adapter

/** Polls in a loop. Each request continues at the cursor of the last response. */
function asking(reader: ReaderApi, path: string, next: (then: () => void) => void): void {
  const ask = (cursor: string) =>
    reader.request(
      { path: cursor === '' ? path : `${path}&cursor=${cursor}` },
      ({ status, body, header }) => {
        if (cursor === '') reader.ready()
        else if (status === 200) reader.message(body)
        const place = CURSOR.exec(body)?.[1] ?? header('tidings-cursor') ?? cursor
        next(() => ask(place))
      },
    )
  ask('')
}
