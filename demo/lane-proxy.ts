import { request as ask, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { NOWHERE } from '../bus/indexed-set.ts'
import { UpgradeRouter } from '../plugins/upgrade-router.ts'
import { Connection } from '../routes/http/connection.ts'
import { Origins } from '../routes/http/origin.ts'
import { compilers } from '../routes/http/schemas.ts'
import { takeUpgrade, type Upgrade, unguardSocket, upgradeOf } from '../routes/http/upgrade.ts'
import type { Lane } from './lane.ts'
import { LANE, type Lanes } from './lanes.ts'

/** The routes that a lane leads to. */
const ROUTES = ['poll', 'longpoll', 'sse', 'ws', 'publish']

/**
 * `/lane/{id}/{route}`: hands what is asked on to the app itself, over a connection of that lane, as it came, and the
 * answer back. So the app's own checks and limits hold.
 */
export function laneProxy(app: FastifyInstance, lanes: Lanes): void {
  const prefix = `${app.prefix}/lane/`
  const origins = new Origins([])
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
    onRequest(request, _reply, done) {
      if (upgradeOf(request.raw) !== undefined) origins.check(request)
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
  UpgradeRouter.of(app).add('GET', `${prefix}:id/ws`, 'socket')
}

/** The address at which the browser has reached the app: its own, whatever the app listens on. */
function addressOf({ localAddress, localPort }: Socket) {
  return { host: localAddress!, port: localPort! }
}

function forward(lane: Lane, path: string, { raw }: FastifyRequest, reply: FastifyReply): void {
  reply.hijack()
  const connection = Connection.of(raw)
  // It has gone while the hooks before this were asked.
  if (connection.gone) return
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
  const end = () => {
    connection.delete(guest)
    release()
    if (!answer.writableFinished) inner.destroy()
  }
  const guest = { indexAtConnection: NOWHERE, clientGone: end }
  connection.add(guest)
  answer.on('close', end)
  pipeline(raw, inner, () => {})
}

/** An upgrade, and all that follows it on the connection. */
function tunnel(lane: Lane, path: string, request: IncomingMessage, upgrade: Upgrade): void {
  const socket = upgrade.socket as Socket
  const { head } = upgrade
  // While the hooks before this were asked.
  if (socket.destroyed) return
  const wire = lane.open(addressOf(socket))
  const release = lane.hold(socket)
  const lines = [`${request.method} ${path} HTTP/1.1`]
  const { rawHeaders } = request
  for (let i = 0; i < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  wire.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (head.length > 0) wire.write(head)
  socket.setNoDelay(true)
  socket.on('error', () => {})
  unguardSocket(socket)
  wire.on('error', () => socket.destroy())
  socket.on('close', () => {
    release()
    wire.destroy()
  })
  socket.pipe(wire)
  wire.pipe(socket)
}
