import type { FastifyRequest, LogLevel } from 'fastify'
import type { Bus } from '../../bus/bus.ts'
import { checkKnown, checkNumber, show } from '../../bus/check.ts'
import { ERR_OPTION } from '../../bus/errors.ts'
import { type MemoryBusOptions, memoryBus } from '../../bus/memory.ts'
import { FAST, type FastPath, PLAIN } from './fast-path.ts'
import { Origins } from './origin.ts'

/** What is asked of `authorize`. */
export interface Question {
  /** `stats` names no channel. */
  action: 'publish' | 'subscribe' | 'stats'
  channels: readonly string[]
}

/** Permitted, as long as all that is named holds. At least one member; one that is there is not undefined. */
export interface Permission {
  /** When the permission runs out: a Date, or milliseconds since 1970; Infinity: never. */
  until?: Date | number
  /** The permission runs out when it aborts. */
  signal?: AbortSignal
  /** Who publishes, 1 to 256 characters: idempotency keys of different publishers never meet. */
  publisher?: string
}

/** What `authorize` says. */
export type Verdict = boolean | AbortSignal | Permission

/**
 * May this request do that? `true` permits. An AbortSignal permits until it aborts, and so does a Permission: when it
 * runs out, the reader that was let in ends (close code 1008; a held poll and the next one get 403). `false`, an
 * aborted signal, an end that is past: 403. A throw with a `statusCode` of 4xx is answered as it is, with its
 * `headers`; any other is a fault of the program, 500, and logged. On a socket they are error frames. Anything else is
 * 403, and a hint in the log. Asked for each request, and on a socket for each subscribe and publish frame, with the
 * request that opened it, in its async context.
 */
export type Authorize = (request: FastifyRequest, question: Question) => Verdict | Promise<Verdict>

/** What one client may take, beside what all may take together. */
export interface Limits {
  /** Who a request comes from. @default its `ip`: behind a proxy set Fastify's `trustProxy` */
  client?: (request: FastifyRequest) => string
  /** Long polls, streams and sockets that one client holds open at once; past it 429. @default Infinity */
  readersPerClient?: number
  /**
   * Frames that a client may send on one socket, so many at once and as many a second; past it an error frame, and the
   * close code 1008. @default Infinity
   */
  framesPerSecond?: number
  /**
   * Counts a publish, over HTTP or in a frame, before `authorize` is asked; `request` is the one that opened the
   * socket. `false`, or a promise of it, refuses: 429. A throw is treated as one of `authorize`. @default nothing is
   * counted
   */
  publish?: (request: FastifyRequest, question: Question) => unknown
}

/** What is compressed. */
export interface CompressionOptions {
  /** Bytes of a message, with its envelope, below which it goes out as it is. @default 1024 */
  threshold?: number
}

/** @typeParam T the names of the transports */
export interface Options<T extends string = string> {
  /** Where the routes stand, as in any Fastify plugin. @default '' */
  prefix?: string
  /** The transports that are offered. @default ['poll', 'longpoll', 'sse', 'ws'] */
  transports?: readonly T[]
  /** The bus that the messages go over. @default a memory bus of its own, with `retention` */
  bus?: Bus
  /** What a memory bus of its own keeps; not beside `bus`. */
  retention?: MemoryBusOptions
  /** How much one answer of `/poll` and `/longpoll` carries. */
  poll?: {
    /** Messages, where the request names no `limit`. @default 100 */
    limit?: number
    /** The most messages that a request may ask for. @default 1000 */
    maxLimit?: number
    /** Bytes of the body; one message is sent whatever it weighs. @default 1048576 */
    maxBytes?: number
  }
  /** How long `/longpoll` holds a request. */
  longpoll?: {
    /** Seconds, where the request names no `wait`. @default 25 */
    wait?: number
    /** Seconds; a longer `wait` is cut to it. @default 55 */
    maxWait?: number
  }
  /** Signs of life on an idle connection. */
  heartbeat?: {
    /** Milliseconds between two comments on an SSE stream. @default 15000 */
    sse?: number
    /** Milliseconds between two pings on a socket; one that is silent for two of them is ended. @default 25000 */
    ws?: number
  }
  /**
   * Whether streams and sockets are compressed, for clients that take it: each message by itself, once for all readers
   * at the same place. See docs/security.md. @default false
   */
  compression?: boolean | CompressionOptions
  /** The largest payload that a client may publish, in bytes. @default 65536 */
  payloadLimit?: number
  /**
   * Origins, beside the request's own host, whose pages may publish and open sockets: as a browser sends them
   * (`https://example.com`), or expressions that match them. `['*']`: all, `null` too. @default []
   */
  origins?: readonly (string | RegExp)[]
  /** Whether clients may publish over the wire. @default false; true where `authorize` is given */
  publish?: boolean
  /** Whether `GET /stats` is there. It also turns on the metering of sockets. @default false */
  stats?: boolean
  /** Whether `GET /echo` is there. @default false */
  echo?: boolean
  /**
   * Whether streams and sockets are written to past Node's streams, and slow readers are judged by what the kernel has
   * taken. `false` uses Node's public API alone. @default true
   */
  fastPath?: boolean
  /** Long polls, streams and sockets that are held open at once. @default 10000 */
  maxReaders?: number
  /**
   * Milliseconds over which a server that closes sends its readers away, one after another; meanwhile it takes no new
   * connection. 0: all at once. @default 0
   */
  drain?: number
  /** What one client may take. @default no limit of its own */
  limits?: Limits
  /** When a reader that does not keep up is ended. */
  slowConsumer?: {
    /** Unsent bytes. @default 1048576 */
    bytes?: number
    /** Milliseconds in which its socket took no byte while some waited. @default 30000 */
    timeout?: number
  }
  /** The decorator's name: `app.tidings`. @default 'tidings' */
  decorator?: string
  /** The log level of the routes: some are asked again and again. @default that of the app */
  logLevel?: LogLevel
  /** Asked before anybody reads, publishes or sees figures. @default nobody is asked */
  authorize?: Authorize
}

/** @internal The options as the routes see them: checked, every default in its place. */
export interface Settings {
  readonly prefix: string
  readonly transports: ReadonlySet<string>
  readonly bus: Bus
  readonly poll: { readonly limit: number; readonly maxLimit: number; readonly maxBytes: number }
  readonly longpoll: { readonly wait: number; readonly maxWait: number }
  readonly heartbeat: { readonly sse: number; readonly ws: number }
  /** Undefined where nothing is compressed. */
  readonly compression: Required<CompressionOptions> | undefined
  readonly payloadLimit: number
  readonly origins: Origins
  readonly publish: boolean
  readonly stats: boolean
  readonly echo: boolean
  readonly path: FastPath
  readonly maxReaders: number
  readonly drain: number
  readonly limits: Required<Omit<Limits, 'publish'>> & Pick<Limits, 'publish'>
  readonly slowConsumer: { readonly bytes: number; readonly timeout: number }
  readonly decorator: string
  readonly logLevel: LogLevel | undefined
  readonly authorize: Authorize | undefined
}

const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
const KNOWN: readonly (keyof Options)[] = [
  'prefix',
  'transports',
  'bus',
  'retention',
  'poll',
  'longpoll',
  'heartbeat',
  'compression',
  'payloadLimit',
  'origins',
  'publish',
  'stats',
  'echo',
  'fastPath',
  'maxReaders',
  'drain',
  'limits',
  'slowConsumer',
  'decorator',
  'logLevel',
  'authorize',
]

/** Timers hold 31 bits. */
const MAX_MS = 0x7fff_ffff

/**
 * @internal
 * @param given what the user wrote; Fastify's own `logSerializers` may stand beside it
 * @param transports the names of all transports
 * @throws TIDINGS_ERR_OPTION that names the option
 */
export function settle(given: Options, transports: readonly string[]): Settings {
  const { logSerializers: _, ...own } = given as Options & { logSerializers?: unknown }
  const options = checkKnown<Options>('options', own, KNOWN)
  const { prefix = '', decorator = 'tidings', bus, retention, authorize } = options
  const { payloadLimit = 64 * 1024, maxReaders = 10_000, drain = 0 } = options

  if (typeof prefix !== 'string') throw new ERR_OPTION('prefix', `must be a string; it is ${show(prefix)}`)
  if (typeof decorator !== 'string' || decorator === '') {
    throw new ERR_OPTION('decorator', `must be a name; it is ${show(decorator)}`)
  }
  if (authorize !== undefined && typeof authorize !== 'function') {
    throw new ERR_OPTION('authorize', `must be a function; it is ${show(authorize)}`)
  }
  if (bus !== undefined && retention !== undefined) {
    throw new ERR_OPTION('retention', "belongs to a bus of the plugin's own: give it to yours instead")
  }
  if (bus !== undefined && (typeof bus?.publish !== 'function' || typeof bus.log?.append !== 'function')) {
    throw new ERR_OPTION('bus', `must be a bus, such as memoryBus() makes; it is ${show(bus)}`)
  }

  return {
    prefix,
    decorator,
    authorize,
    transports: new Set(checkList('transports', options.transports, transports)),
    bus: bus ?? memoryBus(retention),
    poll: numbers('poll', options.poll, {
      limit: [100, 1, 'messages'],
      maxLimit: [1000, 1, 'messages'],
      maxBytes: [1024 * 1024, 1, 'bytes'],
    }),
    longpoll: numbers('longpoll', options.longpoll, {
      wait: [25, 0, 'seconds', 3600],
      maxWait: [55, 0, 'seconds', 3600],
    }),
    heartbeat: numbers('heartbeat', options.heartbeat, {
      sse: [15_000, 1, 'milliseconds', MAX_MS],
      ws: [25_000, 1, 'milliseconds', MAX_MS],
    }),
    compression: checkCompression(options.compression),
    payloadLimit: checkNumber('payloadLimit', payloadLimit, { least: 1, unit: 'bytes' }),
    origins: new Origins(checkOrigins(options.origins)),
    publish: checkFlag('publish', options.publish, authorize !== undefined),
    stats: checkFlag('stats', options.stats, false),
    echo: checkFlag('echo', options.echo, false),
    path: checkFlag('fastPath', options.fastPath, true) ? FAST : PLAIN,
    maxReaders: checkNumber('maxReaders', maxReaders, { unit: 'readers' }),
    drain: checkNumber('drain', drain, { unit: 'milliseconds', most: MAX_MS }),
    limits: checkLimits(options.limits),
    slowConsumer: numbers('slowConsumer', options.slowConsumer, {
      bytes: [1024 * 1024, 1, 'bytes'],
      timeout: [30_000, 1, 'milliseconds', MAX_MS],
    }),
    logLevel: checkLevel(options.logLevel),
  }
}

type Range = [byDefault: number, least: number, unit: string, most?: number]

/** A group of numbers: each known, each in its range, or its default. */
function numbers<K extends string>(
  name: string,
  given: Partial<Record<K, number>> | undefined,
  ranges: Record<K, Range>,
): Record<K, number> {
  const keys = Object.keys(ranges) as K[]
  const known = checkKnown<Record<K, number>>(name, given, keys)
  const settled = {} as Record<K, number>
  for (const key of keys) {
    const [byDefault, least, unit, most] = ranges[key]
    const { [key]: value = byDefault } = known
    settled[key] = checkNumber(`${name}.${key}`, value, {
      least,
      unit,
      ...(most && { most }),
    })
  }
  return settled
}

function checkCompression(given: Options['compression'] = false): Settings['compression'] {
  if (given === false) return undefined
  return numbers('compression', given === true ? undefined : given, { threshold: [1024, 0, 'bytes'] })
}

function checkLimits(given: unknown): Settings['limits'] {
  const known = checkKnown<Limits>('limits', given, [
    'client',
    'readersPerClient',
    'framesPerSecond',
    'publish',
  ])
  const { client = ({ ip }) => ip, readersPerClient = Infinity, framesPerSecond = Infinity, publish } = known
  for (const [name, value] of Object.entries({ client, publish })) {
    if (value !== undefined && typeof value !== 'function') {
      throw new ERR_OPTION(`limits.${name}`, `must be a function; it is ${show(value)}`)
    }
  }
  checkNumber('limits.readersPerClient', readersPerClient, { unit: 'readers', infinity: true })
  checkNumber('limits.framesPerSecond', framesPerSecond, { least: 1, unit: 'frames', infinity: true })
  return { client, readersPerClient, framesPerSecond, publish }
}

function checkFlag(name: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined) return byDefault
  if (typeof value === 'boolean') return value
  throw new ERR_OPTION(name, `must be true or false; it is ${show(value)}`)
}

function checkList<T extends string>(name: string, value: unknown, known: readonly T[]): readonly T[] {
  if (value === undefined) return known
  if (Array.isArray(value) && value.every((item) => known.includes(item))) return value
  throw new ERR_OPTION(name, `must be a list of ${known.join(', ')}; it is ${JSON.stringify(value)}`)
}

function checkOrigins(value: unknown): readonly (string | RegExp)[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every(isOrigin)) return value
  throw new ERR_OPTION(
    'origins',
    `must be a list of origins such as 'https://example.com', expressions, or '*'`,
  )
}

function isOrigin(item: unknown): boolean {
  if (item instanceof RegExp || item === '*') return true
  return typeof item === 'string' && URL.canParse(item) && new URL(item).origin === item
}

function checkLevel(value: unknown): LogLevel | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && LEVELS.includes(value)) return value as LogLevel
  throw new ERR_OPTION('logLevel', `must be one of ${LEVELS.join(', ')}; it is ${show(value)}`)
}
