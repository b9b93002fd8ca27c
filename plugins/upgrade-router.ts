import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import findMyWay, { type HTTPMethod, type Instance as Router } from 'find-my-way'
import { responseOn, rewriterOf, stopResuming, tellDrained } from '../routes/http/node-internals.ts'
import { Stalls } from '../routes/http/stalls.ts'
import { guardErrors, guardSocket, offerUpgrade, unguardSocket } from '../routes/http/upgrade.ts'

/** The kind of a route: `socket` routes accept upgrades, `plain` routes ignore them and answer over HTTP. */
type Kind = 'socket' | 'plain'

/** Milliseconds within which another listener must use a socket. */
const PATIENCE = 2_000

const METHODS: readonly HTTPMethod[] = ['GET', 'POST']

/** `slowConsumer.timeout`, in milliseconds. */
const TIMEOUT = 30_000

const routers = new WeakMap<object, UpgradeRouter>()

/**
 * If a server has an `upgrade` listener, Node detaches every connection with an upgrade request. This router, one per
 * server, runs before all listeners. A WebSocket request to one of our sockets goes through Fastify to its route, and
 * no other listener gets it. Other upgrades go to the other listeners. An upgrade that no listener takes is answered as
 * plain HTTP.
 */
export class UpgradeRouter {
  readonly #app: FastifyInstance
  readonly #server: Server
  readonly #routes: Router<never>
  readonly #stalls: Stalls
  readonly #rewrite: (request: IncomingMessage) => string

  /** @param timeout milliseconds within which a client must make progress in reading the answers before its upgrade */
  static of(app: FastifyInstance, timeout = TIMEOUT): UpgradeRouter {
    let router = routers.get(app.server)
    if (router === undefined) {
      router = new UpgradeRouter(app, timeout)
      routers.set(app.server, router)
    }
    return router
  }

  private constructor(app: FastifyInstance, timeout: number) {
    this.#stalls = new Stalls(timeout)
    this.#app = app
    this.#server = app.server as Server
    this.#routes = findMyWay(routing(app)) as Router<never>
    this.#rewrite = rewriterOf(app)
    const server = this.#server
    // A listener cannot stop an event, and common libraries destroy every socket whose path they do not know.
    const emit = server.emit as (event: string, ...args: unknown[]) => boolean
    server.emit = (event: string, ...args: unknown[]) => {
      if (event !== 'upgrade') return emit.call(server, event, ...args)
      this.#upgrade(...(args as [IncomingMessage, Duplex, Buffer]), () => emit.call(server, event, ...args))
      return true
    }
    // Node checks whether a listener exists.
    server.on('upgrade', () => {})
  }

  /** Adds one of our routes. */
  add(method: HTTPMethod | HTTPMethod[], url: string, kind: Kind): void {
    this.#routes.on(method, url, () => {}, kind)
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, tellOthers: () => void): void {
    guardSocket(socket)
    whenAnswered(socket, this.#stalls, () => {
      const kind = this.#kindOf(request)
      if (kind === 'socket' && asksForWebSocket(request)) this.#route(request, socket, head)
      else if (kind !== undefined || this.#server.listenerCount('upgrade') === 1)
        this.#answerPlainly(request, socket, head)
      else this.#leave(request, socket, head, tellOthers)
    })
  }

  #kindOf(request: IncomingMessage): Kind | undefined {
    const url = this.#rewrite(request)
    const method = request.method as HTTPMethod
    const found = this.#routes.find(method, url)
    if (found === null) return undefined
    // A static route of the app takes precedence over our parametric one, as in the app's router.
    const path = url.split(/[?#]/, 1)[0]!
    const another = Object.keys(found.params).length > 0 && this.#app.hasRoute({ method, url: path })
    return another ? undefined : (found.store as Kind)
  }

  /** Whether a URL belongs to one of our routes, for any method. */
  has(url: string): boolean {
    return METHODS.some((method) => this.#routes.find(method, url) !== null)
  }

  /** The URL that the app's router will use for a request. */
  urlOf(request: IncomingMessage): string {
    return this.#rewrite(request)
  }

  /** Routes an upgrade through Fastify, with the app's hooks. */
  #route(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    offerUpgrade(request, { socket, head })
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket as Socket)
    endWithAnswer(socket)
    this.#app.routing(request, response)
  }

  /** Passes an upgrade to the other listeners. Some ignore sockets that are not theirs. */
  #leave(request: IncomingMessage, socket: Duplex, head: Buffer, tellOthers: () => void): void {
    guardErrors(socket)
    const before = marks(socket)
    tellOthers()
    // @fastify/websocket may leave the connection open if an earlier hook has refused the request.
    endWithAnswer(socket)
    if (marks(socket) !== before) return
    setTimeout(() => {
      if (marks(socket) !== before) return
      if (socket.readableEnded) socket.destroy()
      else this.#answerPlainly(request, socket, head)
    }, PATIENCE)
  }

  /** Returns the socket to the server, which reads the request again without its upgrade headers. */
  #answerPlainly(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // The parser may belong to the previous answer.
    ;(socket as Partial<Socket>).setTimeout?.(0)
    socket.unshift(Buffer.concat([plainHead(request), head]))
    this.#server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
    unguardSocket(socket)
  }
}

/** The options with which the app's router parses URLs. */
function routing({ initialConfig }: FastifyInstance) {
  const { routerOptions, ...older } = initialConfig as Record<string, unknown> & {
    routerOptions?: Record<string, unknown>
  }
  const names = [
    'caseSensitive',
    'ignoreTrailingSlash',
    'ignoreDuplicateSlashes',
    'maxParamLength',
    'useSemicolonDelimiter',
  ] as const
  return Object.fromEntries(names.map((name) => [name, routerOptions?.[name] ?? older[name]]))
}

/** Whether a request may upgrade. HTTP/1.0 has no upgrades (RFC 9110 section 7.8). */
function asksForWebSocket({ method, headers, httpVersion }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion !== '1.0' && headers.upgrade?.toLowerCase() === 'websocket'
}

/** Methods whose call shows that a listener uses a socket. */
function marks(socket: Duplex): string {
  const listeners = socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0)
  const { destroyed, writableEnded, readableFlowing } = socket
  return [listeners, destroyed, writableEnded, readableFlowing, (socket as Socket).bytesWritten].join()
}

/**
 * Node emits an upgrade as soon as it has read the request. Earlier requests of a pipeline may be unanswered, and their
 * answers come first (RFC 9112 section 9.3.2). Node does not manage them any more, so this function does.
 */
function whenAnswered(socket: Duplex, stalls: Stalls, then: () => void): void {
  if (responseOn(socket) === undefined) {
    then()
    return
  }
  stopResuming(socket)
  const onDrain = () => tellDrained(socket)
  const onClose = () => responseOn(socket)?.req.destroy()
  socket.on('drain', onDrain).on('close', onClose)
  // The answers may be of any route, and nobody else manages this connection.
  const before = { stream: socket, put: 0, over: false, tooSlow: () => socket.destroy() }
  stalls.add(before)
  const next = () => {
    const response = responseOn(socket)
    if (response !== undefined) {
      // Node's own listener ran first, and has assigned the socket to the next answer.
      response.once('finish', next)
      return
    }
    stalls.delete(before)
    socket.off('drain', onDrain).off('close', onClose)
    if (socket.writable) then()
  }
  next()
}

/** Ends a detached connection after its plain response: nothing would read further requests. */
function endWithAnswer(socket: Duplex): void {
  responseOn(socket)?.once('finish', () => socket.end(() => socket.destroy()))
}

/** The head of a request without its upgrade headers. */
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
