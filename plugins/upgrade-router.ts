import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import findMyWay, { type HTTPMethod, type Instance as Router } from 'find-my-way'
import { responseOn, rewriterOf, stopResuming, tellDrained } from '../routes/http/node-internals.ts'
import { Stalls } from '../routes/http/stalls.ts'
import { guardErrors, guardSocket, offerUpgrade, unguardSocket } from '../routes/http/upgrade.ts'

/** What happens to an upgrade: `socket` routes may take it, `plain` ones answer as if it had not been asked for. */
type Kind = 'socket' | 'plain'

/** Milliseconds that other listeners have for the first thing that they do with a socket. */
const PATIENCE = 2_000

const METHODS: readonly HTTPMethod[] = ['GET', 'POST']

/** As of `slowConsumer.timeout`. */
const TIMEOUT = 30_000

const routers = new WeakMap<object, UpgradeRouter>()

/**
 * Node gives every connection away on which a request asks for an upgrade, whatever it asks for, as soon as somebody
 * listens. This router, one a server, stands before all listeners: a WebSocket at one of our sockets goes through
 * Fastify to its route, and no other listener hears of it; other upgrades go to the other listeners; what nobody takes
 * is answered as plain HTTP.
 */
export class UpgradeRouter {
  readonly #app: FastifyInstance
  readonly #server: Server
  readonly #routes: Router<never>
  readonly #stalls: Stalls
  readonly #rewrite: (request: IncomingMessage) => string

  /** @param timeout milliseconds in which a client is to take something of the answers before its upgrade */
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
    // A listener can't keep an event from the others, and a common one destroys each socket whose path it doesn't know.
    const emit = server.emit as (event: string, ...args: unknown[]) => boolean
    server.emit = (event: string, ...args: unknown[]) => {
      if (event !== 'upgrade') return emit.call(server, event, ...args)
      this.#upgrade(...(args as [IncomingMessage, Duplex, Buffer]), () => emit.call(server, event, ...args))
      return true
    }
    // Node asks whether there is one.
    server.on('upgrade', () => {})
  }

  /** One of our routes stands at this URL. */
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
    // A route of ours with parameters stands behind one of the app's that has none, as in the app's own router.
    const path = url.split(/[?#]/, 1)[0]!
    const another = Object.keys(found.params).length > 0 && this.#app.hasRoute({ method, url: path })
    return another ? undefined : (found.store as Kind)
  }

  /** Whether one of our routes stands at this URL, for whatever method. */
  has(url: string): boolean {
    return METHODS.some((method) => this.#routes.find(method, url) !== null)
  }

  /** The URL by which the app's router knows a request that has not been routed yet. */
  urlOf(request: IncomingMessage): string {
    return this.#rewrite(request)
  }

  /** To its route, with the hooks of the app before it. */
  #route(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    offerUpgrade(request, { socket, head })
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket as Socket)
    endWithAnswer(socket)
    this.#app.routing(request, response)
  }

  /** To the other listeners. Some do not do anything with a socket that is none of theirs. */
  #leave(request: IncomingMessage, socket: Duplex, head: Buffer, tellOthers: () => void): void {
    guardErrors(socket)
    const before = marks(socket)
    tellOthers()
    // A @fastify/websocket may leave the connection open where a hook before its own has refused.
    endWithAnswer(socket)
    if (marks(socket) !== before) return
    setTimeout(() => {
      if (marks(socket) !== before) return
      if (socket.readableEnded) socket.destroy()
      else this.#answerPlainly(request, socket, head)
    }, PATIENCE)
  }

  /** Gives the socket back to the server, which reads the request again, without what asked for the upgrade. */
  #answerPlainly(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // It may be that of the answer before.
    ;(socket as Partial<Socket>).setTimeout?.(0)
    socket.unshift(Buffer.concat([plainHead(request), head]))
    this.#server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
    unguardSocket(socket)
  }
}

/** How the app's own router reads a URL. */
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

/** HTTP/1.0 has no upgrades (RFC 9110 section 7.8). */
function asksForWebSocket({ method, headers, httpVersion }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion !== '1.0' && headers.upgrade?.toLowerCase() === 'websocket'
}

/** What shows that somebody has done something with a socket. */
function marks(socket: Duplex): string {
  const listeners = socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0)
  const { destroyed, writableEnded, readableFlowing } = socket
  return [listeners, destroyed, writableEnded, readableFlowing, (socket as Socket).bytesWritten].join()
}

/**
 * Node hands an upgrade over as soon as it has read it: in a pipeline earlier requests may still be unanswered, and
 * their answers come first (RFC 9112 section 9.3.2). Node no longer looks after them: until they are there, we do.
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
  // They may be anybody's, and nobody else looks after this connection.
  const before = { stream: socket, put: 0, over: false, tooSlow: () => socket.destroy() }
  stalls.add(before)
  const next = () => {
    const response = responseOn(socket)
    if (response !== undefined) {
      // Node's own listener came before this one, and has given the socket to the next answer.
      response.once('finish', next)
      return
    }
    stalls.delete(before)
    socket.off('drain', onDrain).off('close', onClose)
    if (socket.writable) then()
  }
  next()
}

/** A connection that was given away, and gets a plain answer all the same, ends with it: nobody would read on. */
function endWithAnswer(socket: Duplex): void {
  responseOn(socket)?.once('finish', () => socket.end(() => socket.destroy()))
}

/** The head of a request as it came, without what asked for the upgrade. */
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
