import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { hostname } from 'node:os'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  LogController,
  type onRequestHookHandler,
} from 'fastify'
import tidings, { type Bus, memoryBus, type Tidings, type TidingsOptions } from 'fastify-tidings'
import { type LevelWithSilent, pino } from 'pino'
import { ERR_HOST } from './errors.ts'
import { logFrames } from './frame-log.ts'
import { handshake } from './handshake.ts'
import { demo } from './index.ts'
import { page } from './page.ts'

/** Options of the app. */
export interface ServerOptions {
  /** The address to listen on. @default '127.0.0.1' */
  host?: string
  /** The port to listen on; 0 selects a free one. @default 3000 */
  port?: number
  /** Further host names that the app accepts. @default [] */
  allowHost?: readonly string[]
  /** URL of the Redis that keeps the log: `redis://` or `rediss://`. @default a log in this process */
  bus?: string
  /** @default 'info' */
  logLevel?: LevelWithSilent
  /** Options of the plugin. They override those of the app. */
  tidings?: TidingsOptions
}

/** Maximum connections of the app. */
const MAX_CONNECTIONS = 20_000

/**
 * Milliseconds after which an idle connection is closed, such as one whose client has stopped reading. The plugin's
 * readers have their own limits.
 */
const CONNECTION_TIMEOUT = 70_000

/**
 * Milliseconds that closing waits for pending requests. A connection without a request, which browsers open in advance,
 * counts as one.
 */
const GRACE = 1_000

/**
 * Requests are not logged, because polling would flood the log. Errors are logged; those caused by a client take one
 * line, without a stack.
 */
class QuietLog extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(): void {}

  override defaultErrorLog(...args: Parameters<LogController['defaultErrorLog']>): void {
    const [error, { log, id: reqId, method, url: path }, { statusCode }] = args
    if (statusCode === 500) log.error({ reqId, method, path, statusCode, err: error }, error.message)
    else log.info({ reqId, method, path, statusCode }, error.message)
  }
}

/**
 * Starts the app: the plugin's routes at the root, the page, and the checks of a server. The app is listening when the
 * promise resolves.
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
    // A logger for each request would be a fifth of the cost of a long poll, for requests that log nothing.
    childLoggerFactory: (logger, bindings, options) =>
      options.level || options.serializers ? logger.child(bindings, options) : logger,
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
    // Listen on one address. For `localhost`, Fastify would start further servers without the settings above.
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
 * Another site can make its name resolve to this machine (DNS rebinding); its pages would then have our origin. So only
 * our own names are accepted. An IP address can't be rebound. A request without a name, such as a health check over
 * HTTP/1.0, does not come from a browser.
 */
function hostCheck(host: string, allowHost: readonly string[]): onRequestHookHandler {
  const names = new Set(['localhost', hostname().toLowerCase(), bare(host), ...allowHost.map(bare)])
  /** The last name that was accepted, and the address that it reached. Most requests have the same. */
  let known: { name: string; address: string | undefined } | undefined
  return function checkHost({ hostname, socket }, _reply, done) {
    const address = socket.localAddress
    if (known?.name === hostname && known.address === address) {
      done()
      return
    }
    const name = bare(hostname)
    const own = [address ?? '', (address ?? '').replace(/^::ffff:/, '')].map(bare)
    if (name !== '' && !names.has(name) && !own.includes(name)) done(new ERR_HOST(hostname))
    else {
      known = { name: hostname, address }
      done()
    }
  }
}

/** Returns a name in canonical form: lower case, without brackets or trailing dot. IPv6 addresses have one form. */
function bare(name: string): string {
  const text = name
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()
  const address = `http://[${text}]`
  return isIPv6(text) && URL.canParse(address) ? new URL(address).hostname.slice(1, -1) : text
}

/** Returns the URL of the app. */
export function urlOf(app: FastifyInstance): string {
  const { address, port, family } = app.server.address() as { address: string; port: number; family: string }
  const any = address === '0.0.0.0' || address === '::'
  return `http://${any ? 'localhost' : family === 'IPv6' ? `[${address}]` : address}:${port}/`
}
