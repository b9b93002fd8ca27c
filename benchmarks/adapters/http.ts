import { createServer, type ServerResponse } from 'node:http'
import type { Adapter, ReaderApi } from './adapter.ts'
import { listening, publishRoute, send } from './parts.ts'

/** Messages that the log keeps. */
const KEPT = 1000

/** Plain node:http: a log of a thousand messages with polling, long polling and Server-Sent Events. */
export default {
  async start() {
    const kept: string[] = []
    let count = 0
    let held: ServerResponse[] = []
    const streams = new Set<ServerResponse>()
    const since = (cursor: number) => kept.slice(Math.max(0, kept.length - (count - cursor))).join('\n')
    const answer = (response: ServerResponse, text: string) => send(response, text, { cursor: String(count) })
    const server = createServer(
      publishRoute(
        (text) => {
          count++
          if (kept.push(text) > KEPT) kept.shift()
          const waiting = held
          held = []
          for (const response of waiting) answer(response, text)
          for (const response of streams) response.write(`id: ${count}\ndata: ${text}\n\n`)
        },
        ({ url = '' }, response) => {
          const [path, from] = url.split('?')
          if (path === '/sse') {
            response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
            response.flushHeaders()
            streams.add(response)
            response.on('close', () => streams.delete(response))
          } else if (path === '/longpoll' && from === String(count)) {
            held.push(response)
            response.on('close', () => {
              if (!response.writableEnded) held = held.filter((one) => one !== response)
            })
          } else answer(response, from === undefined ? '' : since(Number(from)))
        },
      ),
    )
    return listening(server)
  },
  publish: (text) => ({ path: '/publish', body: text }),
  readers: {
    poll: (reader) => asking(reader, '/poll', (then) => reader.pause(then)),
    longpoll: (reader) => asking(reader, '/longpoll', (then) => then()),
    sse: (reader) => reader.events('/sse', { event: reader.message }),
  },
} satisfies Adapter

/** Polls in a loop. Each request continues at the cursor of the last response. */
function asking(reader: ReaderApi, path: string, next: (then: () => void) => void): void {
  const ask = (query: string) =>
    reader.request({ path: path + query }, ({ body, header }) => {
      if (query === '') reader.ready()
      reader.message(body)
      next(() => ask(`?${header('cursor')}`))
    })
  ask('')
}
