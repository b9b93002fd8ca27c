import type { FastifyRequest, LogLevel } from 'fastify'
import type { Bus } from '../../bus/bus.ts'
import type { MemoryBusOptions } from '../../bus/memory.ts'

/** The operation that `authorize` decides about. */
export interface Question {
  /** `stats` has no channels. */
  action: 'publish' | 'subscribe' | 'stats'
  channels: readonly string[]
}

/** A permission that ends at the first of its conditions. It has at least one member, and no member is undefined. */
export interface Permission {
  /** The expiry: a Date or milliseconds since 1970. Infinity: never. */
  until?: Date | number
  /** Revokes the permission when it aborts. */
  signal?: AbortSignal
  /** The publisher, 1 to 256 characters. Idempotency keys of different publishers are independent. */
  publisher?: string
}

/** The result of `authorize`. */
export type Verdict = boolean | AbortSignal | Permission

/**
 * Decides whether a request may perform an operation. `true` permits it. An AbortSignal or a Permission permits it
 * until it aborts or expires: then the reader ends (close code 1008; a held poll and the next one get 403). `false`, an
 * aborted signal and a past expiry give 403. An error with a 4xx `statusCode` gives that status and its `headers`. Any
 * other error gives 500 and is logged. Any other result gives 403 and is logged. On a socket, errors are error frames.
 * The plugin calls it for each request, and on a socket for each subscribe and publish frame, with the request that
 * opened the socket and in its async context.
 */
export type Authorize = (request: FastifyRequest, question: Question) => Verdict | Promise<Verdict>

/** Limits per client. */
export interface Limits {
  /** Returns the client of a request. @default its `ip`; behind a proxy, set Fastify's `trustProxy` */
  client?: (request: FastifyRequest) => string
  /** Maximum open long polls, streams and sockets of a client. Further ones get 429. @default Infinity */
  readersPerClient?: number
  /**
   * Maximum frames per second on a socket, and the size of a burst. The first excess frame gets an error frame, and the
   * socket closes with 1008. @default Infinity
   */
  framesPerSecond?: number
  /**
   * Called for each publish, over HTTP or in a frame, before `authorize`. `request` is the one that opened the socket.
   * `false`, or a promise of it, refuses the publish with 429. Errors are treated like those of `authorize`.
   * @default no limit
   */
  publish?: (request: FastifyRequest, question: Question) => unknown
}

/** Options of compression. */
export interface CompressionOptions {
  /** Messages below this size, envelope included, are not compressed. In bytes. @default 1024 */
  threshold?: number
}

/** @typeParam T the names of the transports */
export interface Options<T extends string = string> {
  /** Prefix of the routes. @default '' */
  prefix?: string
  /** The transports to offer. @default ['poll', 'longpoll', 'sse', 'ws'] */
  transports?: readonly T[]
  /** The message bus. @default a built-in memory bus with `retention` */
  bus?: Bus
  /** Configures the built-in bus. Cannot be combined with `bus`. */
  retention?: MemoryBusOptions
  /** Limits of a response of `/poll` and `/longpoll`. */
  poll?: {
    /** Maximum messages, if the request has no `limit`. @default 100 */
    limit?: number
    /** Maximum `limit` of a request. @default 1000 */
    maxLimit?: number
    /** Maximum bytes of the body. The first message is sent at any size. @default 1048576 */
    maxBytes?: number
  }
  /** Times for which `/longpoll` holds a request. */
  longpoll?: {
    /** Seconds, if the request has no `wait`. @default 25 */
    wait?: number
    /** Maximum seconds. A longer `wait` is reduced to it. @default 55 */
    maxWait?: number
  }
  /** Heartbeats of idle connections. */
  heartbeat?: {
    /** Milliseconds between comments on an SSE stream. @default 15000 */
    sse?: number
    /** Milliseconds between pings on a socket. A socket that is silent for two of them is destroyed. @default 25000 */
    ws?: number
  }
  /**
   * Compresses streams and sockets for clients that accept it. Each message is compressed separately, and once for all
   * readers at the same place. See docs/security.md. @default false
   */
  compression?: boolean | CompressionOptions
  /** Maximum payload of a client's publish, in bytes. @default 65536 */
  payloadLimit?: number
  /**
   * Additional origins whose pages may publish and open sockets: strings as a browser sends them
   * (`https://example.com`), or regular expressions. Pages of the request's own host always may. `['*']` allows every
   * origin, `null` included. @default []
   */
  origins?: readonly (string | RegExp)[]
  /** Whether clients may publish. @default false; true if `authorize` is set */
  publish?: boolean
  /** Enables `GET /stats` and the metering of sockets. @default false */
  stats?: boolean
  /** Enables `GET /echo`. @default false */
  echo?: boolean
  /**
   * Writes to sockets directly, bypassing Node's streams, and detects slow readers by the bytes that the kernel has
   * accepted. `false` uses only Node's public API. @default true
   */
  fastPath?: boolean
  /** Maximum open long polls, streams and sockets. @default 10000 */
  maxReaders?: number
  /**
   * Milliseconds over which a closing server ends its readers, one after another, while it accepts no new connections.
   * 0 ends all readers at once. @default 0
   */
  drain?: number
  /** Limits per client. @default no limits */
  limits?: Limits
  /** Disconnects readers that do not keep up. */
  slowConsumer?: {
    /** Maximum unsent bytes. @default 1048576 */
    bytes?: number
    /** Disconnects a reader that makes no progress for this long, in milliseconds. @default 30000 */
    timeout?: number
  }
  /** Name of the decorator, `app.tidings`. @default 'tidings' */
  decorator?: string
  /** Log level of the routes. @default that of the app */
  logLevel?: LogLevel
  /** Called before each read, publish and `/stats`. @default everything is permitted */
  authorize?: Authorize
}
