import { request as ask, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Lane } from './lane.ts'
import { LANE, type Lanes } from './lanes.ts'
import { checkOrigin } from './own-origin.ts'
import { takeUpgrade, type Upgrade, upgradeOf } from './upgrades.ts'

/** The routes that a lane forwards to. */
const ROUTES = ['poll', 'longpoll', 'sse', 'ws', 'publish']

/**
 * `/lane/{id}/{route}`: forwards a request unchanged to the app itself, over a connection of that lane, and returns the
 * response. The app's own checks and limits therefore apply.
 */
export function laneProxy(app: FastifyInstance, lanes: Lanes): void {
  const prefix = `${app.prefix}/lane/`
  /** The path that a lane's URL maps to. */
  const pathOf = (url: string) => `${app.prefix}${url.slice(prefix.length + 16)}`

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.route({
    method: ['GET', 'POST'],
    url: '/lane/:id/:route',
    exposeHeadRoute: false,
    schema: { hide: true } as object,
    onRequest(request, _reply, done) {
      if (upgradeOf(request.raw) !== undefined) checkOrigin(request)
      done()
    },
    handler(request, reply) {
      const { id, route } = request.params as { id: string; route: string }
      const lane = LANE.test(id) ? lanes.get(id) : undefined
      const path = pathOf(request.raw.url!)
      if (lane === undefined || !ROUTES.includes(route)) reply.callNotFound()
      else if (lane.isCut) {
        reply.hijack()
        request.raw.socket.destroy()
      } else if (lane.full) reply.code(503).send(new Error('The lane is full'))
      else if (upgradeOf(request.raw) !== undefined) tunnel(lane, path, request.raw, takeUpgrade(reply))
      else forward(lane, path, request, reply)
    },
  })
}

/** Returns the address at which the browser reached the app, whatever the app listens on. */
function addressOf({ localAddress, localPort }: Socket) {
  return { host: localAddress!, port: localPort! }
}

function forward(lane: Lane, path: string, { raw }: FastifyRequest, reply: FastifyReply): void {
  reply.hijack()
  const { socket } = raw
  // The client left while earlier hooks ran.
  if (socket.destroyed) return
  const answer = reply.raw
  const inner = ask({
    agent: lane.agent,
    ...addressOf(socket),
    method: raw.method!,
    path,
    headers: raw.rawHeaders,
  })
  const release = lane.hold({ destroy: () => socket.destroy() })
  inner.on('response', (response) => {
    answer.writeHead(response.statusCode!, response.statusMessage!, response.rawHeaders)
    answer.flushHeaders()
    pipeline(response, answer, () => {})
  })
  // Without a lane in between, the connection would end, too.
  inner.on('error', () => answer.destroy())
  const end = () => {
    socket.off('close', end)
    release()
    if (!answer.writableFinished) inner.destroy()
  }
  // A response that is queued behind others emits nothing; only its connection does.
  socket.on('close', end)
  answer.on('close', end)
  pipeline(raw, inner, () => {})
}

/** Forwards an upgrade and everything that follows on the connection. */
function tunnel(lane: Lane, path: string, request: IncomingMessage, upgrade: Upgrade): void {
  const { socket, head } = upgrade
  // The client left while earlier hooks ran.
  if (socket.destroyed) return
  const wire = lane.open(addressOf(socket))
  const release = lane.hold(socket)
  const lines = [`${request.method} ${path} HTTP/1.1`]
  const { rawHeaders } = request
  for (let i = 0; i < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  wire.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (head.length > 0) wire.write(head)
  socket.setNoDelay(true)
  wire.on('error', () => socket.destroy())
  socket.on('close', () => {
    release()
    wire.destroy()
  })
  socket.pipe(wire)
  wire.pipe(socket)
}
