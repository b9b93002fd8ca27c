import { createServer as createHttp, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import Fastify, { type FastifyReply } from 'fastify'
import { serve } from 'fastify-tidings-demo'
import type { Implementation } from './implementation.ts'

/*
 * Long polling without the plugin, one message at a time, from a minimal implementation to a careful one. All send the
 * same headers and the same body. Each keeps a single message, so none can resume.
 */

/** The plugin's response headers except the length. */
const HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
} as const

let seq = 0
let last = ''

/** Creates the next message. @returns the response body */
function next(channel: string, data: string): string {
  const cursor = `abcdefgh.${++seq}`
  const envelope = `{"cursor":"${cursor}","channel":"${channel}","time":${Date.now()},"data":"${data}"}`
  last = `{"cursor":"${cursor}","messages":[${envelope}],"more":false}`
  return last
}

const empty = () => `{"cursor":"abcdefgh.${seq}","messages":[],"more":false}`

async function listening(server: Server | ReturnType<typeof createHttp>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const CURSOR = 'cursor=abcdefgh.'

/**
 * Returns the body of an immediate response, or undefined if the request has to wait. A request without a cursor gets
 * the current one. A request that just missed the last message gets that message.
 */
function atOnce(url: string): string | undefined {
  const at = url.indexOf(CURSOR)
  if (at === -1) return empty()
  return Number(url.slice(at + CURSOR.length)) === seq ? undefined : last
}

/** Bare sockets: detects the end of a request and writes a string. */
async function raw(): Promise<Implementation> {
  let held: Socket[] = []
  const fixed = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 200 OK\r\n${fixed.join('')}`
  const answer = (body: string) =>
    `${head}content-length: ${body.length}\r\nDate: ${new Date().toUTCString()}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=72\r\n\r\n${body}`
  const server = createServer({ noDelay: true }, (socket) => {
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      if (!text.endsWith('\r\n\r\n')) return
      const url = text.slice(4, text.indexOf(' ', 4))
      text = ''
      const body = atOnce(url)
      if (body === undefined) held.push(socket)
      else socket.write(answer(body))
    })
  })
  return {
    port: await listening(server),
    publish(channel, data) {
      const text = answer(next(channel, data))
      const sockets = held
      held = []
      for (const socket of sockets) socket.write(text, 'latin1')
    },
  }
}

/** Minimal node:http. */
async function http(): Promise<Implementation> {
  let held: ServerResponse[] = []
  const end = (response: ServerResponse, body: string) => {
    response.writeHead(200, { ...HEADERS, 'content-length': body.length })
    response.end(body)
  }
  const server = createHttp((request, response) => {
    const body = atOnce(request.url!)
    if (body === undefined) held.push(response)
    else end(response, body)
  })
  return {
    port: await listening(server),
    publish(channel, data) {
      const body = next(channel, data)
      const responses = held
      held = []
      for (const response of responses) end(response, body)
    },
  }
}

/** A Fastify route that holds its reply and runs the usual hooks and serialization. */
async function fastify(): Promise<Implementation> {
  let held: FastifyReply[] = []
  const app = Fastify()
  app.get('/longpoll', (request, reply) => {
    reply.headers(HEADERS)
    const body = atOnce(request.url)
    if (body === undefined) held.push(reply)
    else reply.send(body)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    port: (app.server.address() as AddressInfo).port,
    publish(channel, data) {
      const body = next(channel, data)
      const replies = held
      held = []
      for (const reply of replies) reply.send(body)
    },
  }
}

/** The app of `npm start`. */
async function start(): Promise<Implementation> {
  const app = await serve({ port: 0, logLevel: 'silent' })
  return {
    port: (app.server.address() as AddressInfo).port,
    publish(channel, data) {
      void app.tidings.publish(channel, data)
    },
  }
}

export const baselines = { raw, http, fastify, start }
