import { EventEmitter } from 'node:events'
import { request as ask, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { UpgradeDesk } from '../plugins/upgrade.ts'
import { compilers } from '../wire/schemas.ts'
import type { Lane } from './lane.ts'
import { LANE, type Lanes } from './lanes.ts'

/** The routes that a lane leads to. */
const ROUTES = ['poll', 'longpoll', 'sse', 'ws', 'publish']

/**
 * `/lane/{id}/{route}`: hands what is asked on to the app itself, over a connection of that lane, as it came, and the
 * answer back. So the app's own checks and limits hold.
 */
export function link(app: FastifyInstance, lanes: Lanes): void {
  const prefix = `${app.prefix}/lane/`
  /** Where a lane's URL leads to. */
  const pathOf = (url: string) => `${app.prefix}${url.slice(prefix.length + 16)}`

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.route({
    method: ['GET', 'POST'],
    url: '/lane/:id/:route',
    exposeHeadRoute: false,
    schema: { hide: true } as object,
    ...compilers,
    handler(request, reply) {
      const { id, route } = request.params as { id: string; route: string }
      const lane = LANE.test(id) ? lanes.get(id) : undefined
      if (lane === undefined || !ROUTES.includes(route)) reply.callNotFound()
      else if (lane.isCut) {
        reply.hijack()
        request.raw.socket.destroy()
      } else if (lane.full) reply.code(503).send(new Error('The lane is full'))
      else forward(lane, pathOf(request.raw.url!), request, reply)
    },
  })

  const upgrades = new EventEmitter()
  upgrades.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const id = request.url!.slice(prefix.length).split('/', 1)[0]!
    const lane = LANE.test(id) ? lanes.get(id) : undefined
    if (lane === undefined || lane.full)
      refuse(socket, lane === undefined ? '404 Not Found' : '503 Service Unavailable')
    else if (lane.isCut) socket.destroy()
    else tunnel(lane, pathOf(request.url!), request, socket, head)
  })
  UpgradeDesk.of(app).add(`${prefix}:id/ws`, upgrades)
}

/** The address at which the browser has reached the app: its own, whatever the app listens on. */
function addressOf({ localAddress, localPort }: Socket) {
  return { host: localAddress!, port: localPort! }
}

function forward(lane: Lane, path: string, { raw }: FastifyRequest, reply: FastifyReply): void {
  reply.hijack()
  const answer = reply.raw
  const inner = ask({
    agent: lane.agent,
    ...addressOf(raw.socket),
    method: raw.method!,
    path,
    headers: raw.rawHeaders,
  })
  const release = lane.hold({ destroy: () => raw.socket.destroy() })
  inner.on('response', (response) => {
    answer.writeHead(response.statusCode!, response.statusMessage!, response.rawHeaders)
    answer.flushHeaders()
    pipeline(response, answer, () => {})
  })
  // As it would be without the lane between: the connection ends.
  inner.on('error', () => answer.destroy())
  answer.on('close', () => {
    release()
    if (!answer.writableFinished) inner.destroy()
  })
  pipeline(raw, inner, () => {})
}

/** An upgrade, and all that follows it on the connection. */
function tunnel(lane: Lane, path: string, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const wire = lane.open(addressOf(socket))
  const release = lane.hold(socket)
  const lines = [`${request.method} ${path} HTTP/1.1`]
  const { rawHeaders } = request
  for (let i = 0; i < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  wire.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (head.length > 0) wire.write(head)
  socket.setNoDelay(true)
  socket.on('error', () => {})
  wire.on('error', () => socket.destroy())
  socket.on('close', () => {
    release()
    wire.destroy()
  })
  socket.pipe(wire)
  wire.pipe(socket)
}

function refuse(socket: Socket, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
