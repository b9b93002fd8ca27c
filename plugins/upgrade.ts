import type { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import findMyWay, { type Instance as Router } from 'find-my-way'
import { responseOn } from '../wire/internals.ts'

/** Where the upgrades of one registration's sockets are forwarded to: @fastify/websocket listens here. */
export type Upgrades = EventEmitter

const desks = new WeakMap<object, UpgradeDesk>()

/**
 * Node hands over every request that asks for an upgrade, whatever it asks for, as soon as somebody listens. This
 * desk, one a server, forwards those that ask for a WebSocket where one of our sockets is, and has the others
 * answered as plain HTTP, as if they had not asked.
 */
export class UpgradeDesk {
  readonly #server: Server
  readonly #sockets: Router<never>
  /** What came behind the head of a request that asked for an upgrade. */
  readonly #heads = new WeakMap<IncomingMessage, Buffer>()

  static of(app: FastifyInstance): UpgradeDesk {
    let desk = desks.get(app.server)
    if (desk === undefined) {
      desk = new UpgradeDesk(app)
      desks.set(app.server, desk)
    }
    return desk
  }

  private constructor(app: FastifyInstance) {
    this.#server = app.server as Server
    this.#sockets = findMyWay(routing(app)) as Router<never>
    this.#server.prependListener('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  /**
   * One of our sockets stands at this URL.
   * @param upgrades undefined where the user's own @fastify/websocket takes them
   */
  add(url: string, upgrades: Upgrades | undefined): void {
    this.#sockets.on('GET', url, () => {}, upgrades)
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#heads.set(request, head)
    // Somebody else's upgrades are somebody else's affair.
    const alone = this.#server.listenerCount('upgrade') === 1
    const found = asksForWebSocket(request) ? this.#sockets.find('GET', request.url!.split('?', 1)[0]!) : null
    if (found === null) {
      if (alone) whenAnswered(socket, () => this.#answerPlainly(request, socket, head))
      return
    }
    const upgrades = found.store as Upgrades | undefined
    const forward = () =>
      whenAnswered(socket, () => {
        upgrades?.emit('upgrade', request, socket, head)
        endWithAnswer(socket)
      })
    if (alone) {
      forward()
      return
    }
    // A @fastify/websocket of the user's in another scope may take it to the same route.
    const before = responseOn(socket)
    process.nextTick(() => {
      if (responseOn(socket) === before) forward()
      else endWithAnswer(socket)
    })
  }

  /** For routes that are no sockets: an upgrade that another listener has sent here is answered as plain HTTP. */
  readonly plain = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const head = this.#heads.get(request.raw)
    if (head === undefined) {
      done()
      return
    }
    reply.hijack()
    reply.raw.detachSocket(request.raw.socket)
    this.#answerPlainly(request.raw, request.raw.socket, head)
  }

  /** Gives the socket back to the server, which reads the request again, without what asked for the upgrade. */
  #answerPlainly(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.unshift(Buffer.concat([plainHead(request), head]))
    this.#server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
  }
}

/** How the app's own router reads a URL. */
function routing({ initialConfig }: FastifyInstance) {
  const { routerOptions, ...older } = initialConfig
  const names = ['caseSensitive', 'ignoreTrailingSlash', 'ignoreDuplicateSlashes', 'maxParamLength'] as const
  return Object.fromEntries(names.map((name) => [name, routerOptions?.[name] ?? older[name]]))
}

function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'
}

/**
 * Node hands an upgrade over as soon as it has read it: in a pipeline earlier requests may still be unanswered, and
 * their answers come first (RFC 9112 section 9.3.2).
 */
function whenAnswered(socket: Duplex, then: () => void): void {
  const response = responseOn(socket)
  if (response === undefined) {
    then()
    return
  }
  // Nobody else listens: Node has given the socket away.
  const destroy = () => socket.destroy()
  socket.on('error', destroy)
  // Node's own listener came before this one, and has given the socket to the next answer.
  response.once('finish', () => {
    socket.off('error', destroy)
    if (socket.writable) whenAnswered(socket, then)
  })
}

/**
 * One that has been taken for an upgrade, and gets a plain answer instead, ends with it. Nobody else sees to that where
 * a hook of the app refuses before that of @fastify/websocket, nor where Fastify itself does, since it closes.
 */
function endWithAnswer(socket: Duplex): void {
  responseOn(socket)?.once('finish', () => (socket as Socket).destroySoon())
}

function plainHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (name === 'upgrade' || name === 'http2-settings') continue
    let value = rawHeaders[i + 1]!
    if (name === 'connection') {
      value = value
        .split(',')
        .filter((option) => !/^\s*(?:upgrade|http2-settings)\s*$/i.test(option))
        .join()
    }
    if (value !== '' || name !== 'connection') lines.push(`${rawHeaders[i]}: ${value}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}
