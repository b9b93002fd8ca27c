import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Implementation } from './implementation.ts'

/*
 * Hand-written implementations: a loop around `send`. Each serializes a message once, into an envelope of the plugin's
 * size, and keeps the minimum.
 */

let seq = 0

function envelope(channel: string, data: string): string {
  return `{"cursor":"abcdefgh.${++seq}","channel":"${channel}","time":${Date.now()},"data":"${data}"}`
}

function channelOf(url: string | undefined): string {
  return new URLSearchParams(url?.split('?')[1]).get('channel') ?? 'default'
}

/** Readers by channel. */
class Readers<T> {
  readonly #of = new Map<string, Set<T>>()

  of(channel: string): Set<T> {
    let readers = this.#of.get(channel)
    if (readers === undefined) {
      readers = new Set()
      this.#of.set(channel, readers)
    }
    return readers
  }
}

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** Plain ws: `send` for each client. */
async function ws(): Promise<Implementation> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  const readers = new Readers<WebSocket>()
  sockets.on('connection', (socket, request) => readers.of(channelOf(request.url)).add(socket))
  return {
    port: await listening(server),
    publish(channel, data) {
      const frame = Buffer.from(envelope(channel, data))
      for (const socket of readers.of(channel)) socket.send(frame, { binary: false })
    },
  }
}

/** Plain node:http: `write` for each response. */
async function sse(): Promise<Implementation> {
  const readers = new Readers<ServerResponse>()
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('retry: 2000\n\n')
    readers.of(channelOf(request.url)).add(response)
  })
  return {
    port: await listening(server),
    publish(channel, data) {
      const text = envelope(channel, data)
      const event = Buffer.from(`data: ${text}\nid: abcdefgh.${seq}\n\n`)
      for (const response of readers.of(channel)) response.write(event)
    },
  }
}

/** Plain node:http that holds responses and answers with all new messages. */
async function longpoll(): Promise<Implementation> {
  const kept: { seq: number; channel: string; text: string }[] = []
  const held = new Readers<{ response: ServerResponse; after: number }>()
  const answer = (response: ServerResponse, channel: string, after: number): boolean => {
    const news: string[] = []
    for (let i = kept.length - 1; i >= 0 && kept[i]!.seq > after; i--) {
      if (kept[i]!.channel === channel) news.unshift(kept[i]!.text)
    }
    if (news.length === 0) return false
    const body = Buffer.from(`{"cursor":"abcdefgh.${seq}","messages":[${news.join(',')}],"more":false}`)
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'content-length': body.length,
    })
    response.end(body)
    return true
  }
  const server = createServer((request, response) => {
    const query = new URLSearchParams(request.url!.split('?')[1])
    const channel = query.get('channel') ?? 'default'
    const cursor = query.get('cursor')
    if (cursor === null) {
      response.end(`{"cursor":"abcdefgh.${seq}","messages":[],"more":false}`)
      return
    }
    const after = Number(cursor.split('.')[1])
    if (answer(response, channel, after)) return
    const waiting = { response, after }
    held.of(channel).add(waiting)
    response.once('close', () => held.of(channel).delete(waiting))
  })
  return {
    port: await listening(server),
    publish(channel, data) {
      kept.push({ seq: seq + 1, channel, text: envelope(channel, data) })
      if (kept.length > 10_000) kept.splice(0, 5_000)
      const readers = held.of(channel)
      const waiting = [...readers]
      readers.clear()
      for (const { response, after } of waiting) answer(response, channel, after)
    },
  }
}

/** A Fastify route that returns an object of the size of the plugin's response. */
async function poll(): Promise<Implementation> {
  const app = Fastify()
  const messages: object[] = []
  app.get('/poll', async () => ({ cursor: `abcdefgh.${seq}`, messages, more: false }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    port: (app.server.address() as AddressInfo).port,
    publish(channel, data) {
      messages.push(JSON.parse(envelope(channel, data)))
    },
  }
}

export const reference = { ws, sse, longpoll, poll }
