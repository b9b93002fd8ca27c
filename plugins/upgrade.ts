import type { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import findMyWay, { type Instance as Router } from 'find-my-way'

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
  /** Those that one of our sockets has taken. */
  readonly #taken = new WeakSet<IncomingMessage>()

  static of(app: FastifyInstance): UpgradeDesk {
    let desk = desks.get(app.server)
    if (desk === undefined) {
      desk = new UpgradeDesk(app)
      desks.set(app.server, desk)
    }
    return desk
  }

  private constructor(app: FastifyInstance) {
    const { routerOptions, caseSensitive, ignoreTrailingSlash } = app.initialConfig
    this.#server = app.server as Server
    this.#sockets = findMyWay({
      caseSensitive: routerOptions?.caseSensitive ?? caseSensitive,
      ignoreTrailingSlash: routerOptions?.ignoreTrailingSlash ?? ignoreTrailingSlash,
    }) as Router<never>
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
    if (request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket') {
      const found = this.#sockets.find('GET', request.url!.split('?', 1)[0]!)
      if (found !== null) {
        ;(found.store as Upgrades | undefined)?.emit('upgrade', request, socket, head)
        return
      }
    }
    // Somebody else's upgrades are somebody else's affair.
    if (this.#server.listenerCount('upgrade') === 1) this.#answerPlainly(request, socket, head)
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

  /** For sockets: with two listeners on a server, ours and the user's, each sends the request here. */
  readonly once = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    if (this.#taken.has(request.raw)) {
      reply.hijack()
      return
    }
    this.#taken.add(request.raw)
    done()
  }

  /** Gives the socket back to the server, which reads the request again, without what asked for the upgrade. */
  #answerPlainly(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.unshift(Buffer.concat([plainHead(request), head]))
    this.#server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
  }
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
