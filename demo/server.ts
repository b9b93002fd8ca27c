import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { hostname } from 'node:os'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import tidings, { type Bus, memoryBus, type Tidings, type TidingsOptions } from 'fastify-tidings'
import { type LevelWithSilent, pino } from 'pino'
import { ERR_HOST } from './errors.ts'
import { logFrames } from './frame-log.ts'
import { handshake } from './handshake.ts'
import { demo } from './index.ts'
import { page } from './page.ts'

/** What the app is started with. */
export interface ServerOptions {
  /** The address to listen on. @default '127.0.0.1' */
  host?: string
  /** The port to listen on; 0 takes a free one. @default 3000 */
  port?: number
  /** Further names by which the app may be asked for. @default [] */
  allowHost?: readonly string[]
  /** Where Redis is that keeps the log: `redis://` or `rediss://`. @default the log is this process's own */
  bus?: string
  /** @default 'info' */
  logLevel?: LevelWithSilent
  /** Options of the plugin, over those of the app. */
  tidings?: TidingsOptions
}

/** Connections that the app takes at once, in all. */
const MAX_CONNECTIONS = 20_000

/**
 * Milliseconds after which a connection on which nothing moves is closed, such as that of a reader of the page who has
 * stopped reading. The plugin's own readers have limits of their own.
 */
const CONNECTION_TIMEOUT = 70_000

/**
 * Milliseconds that a close waits for requests that are under way. A connection on which nothing was asked yet, as
 * browsers open them in advance, counts as one.
 */
const GRACE = 1_000

/**
 * A client that polls would fill the log: requests are not logged, errors are, and those that we raise for a client in
 * one line, without a stack.
 */
class QuietLog extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(): void {}

  override defaultErrorLog(...args: Parameters<LogController['defaultErrorLog']>): void {
    const [error, request, { statusCode }] = args
    if (statusCode === 500) super.defaultErrorLog(...args)
    else request.log.info({ method: request.method, path: request.url, statusCode }, error.message)
  }
}

/**
 * The runnable app: the routes at the root, the page, and what only a server can see to. It listens once it is
 * returned.
 */
export async function serve({
  host = '127.0.0.1',
  port = 3000,
  allowHost = [],
  bus,
  logLevel = 'info',
  tidings: options = {},
}: ServerOptions = {}): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: pino({ level: logLevel }) as FastifyBaseLogger,
    connectionTimeout: CONNECTION_TIMEOUT,
    requestTimeout: 30_000,
    http: { headersTimeout: 20_000 },
    logController: new QuietLog(),
    forceCloseConnections: 'idle',
  })
  app.server.maxConnections = MAX_CONNECTIONS
  app.addHook('preClose', (done) => {
    setTimeout(() => app.server.closeAllConnections(), GRACE + (options.drain ?? 0)).unref()
    done()
  })
  app.addHook('onRequest', hostCheck(host, allowHost))
  const shared = options.bus ?? (bus === undefined ? undefined : await redis(bus, options.retention))
  const own = shared === undefined ? memoryBus(options.retention) : undefined
  await app.register(tidings, {
    publish: true,
    stats: true,
    echo: true,
    ...options,
    bus: own ?? shared!,
    retention: options.bus && options.retention,
  })
  const { prefix = '', decorator = 'tidings' } = options
  logFrames(app)
  await app.register(page, { prefix })
  await app.register(demo, {
    tidings: app.getDecorator<Tidings>(decorator),
    restart: own && (() => own.turn()),
    prefix,
  })
  await app.register(handshake, { prefix: `${prefix}/demo`, socket: `${prefix}/echo` })
  try {
    // One address: Fastify would listen on all that localhost has, with servers that none of the above is set on.
    await app.listen({ host: (await lookup(bare(host))).address, port })
  } catch (error) {
    await app.close()
    throw error
  }
  return app
}

async function redis(url: string, retention: TidingsOptions['retention']): Promise<Bus> {
  const { redisBus } = await import('fastify-tidings/redis')
  return redisBus({ url, ...(retention && { retention }) })
}

/**
 * A page of another site can have its name resolve to this machine (DNS rebinding), and would then be of our origin.
 * So only names that are ours are answered; an address can't be rebound, and a request without a name, as a health
 * check of HTTP/1.0 may send it, comes from no browser.
 */
function hostCheck(host: string, allowHost: readonly string[]) {
  const names = new Set(['localhost', hostname().toLowerCase(), bare(host), ...allowHost.map(bare)])
  return async (request: { hostname: string; socket: { localAddress?: string } }) => {
    const name = bare(request.hostname)
    const { localAddress = '' } = request.socket
    const own = [localAddress, localAddress.replace(/^::ffff:/, '')].map(bare)
    if (name !== '' && !names.has(name) && !own.includes(name)) throw new ERR_HOST(request.hostname)
  }
}

/** A name as it is compared: without brackets or the root's dot, in small letters; an IPv6 address in its one form. */
function bare(name: string): string {
  const text = name
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()
  const address = `http://[${text}]`
  return isIPv6(text) && URL.canParse(address) ? new URL(address).hostname.slice(1, -1) : text
}

/** Where a browser finds the app. */
export function urlOf(app: FastifyInstance): string {
  const { address, port, family } = app.server.address() as { address: string; port: number; family: string }
  const any = address === '0.0.0.0' || address === '::'
  return `http://${any ? 'localhost' : family === 'IPv6' ? `[${address}]` : address}:${port}/`
}
