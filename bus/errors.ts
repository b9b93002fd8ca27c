import createFastifyError from '@fastify/error'

/** An error constructor of the table. */
export interface CodedError extends Error {
  readonly code: string
  readonly statusCode?: number
}

/** @typeParam A arguments of the message */
export interface ErrorClass<A extends unknown[]> {
  new (...args: A): CodedError
  (...args: A): CodedError
  readonly prototype: CodedError
}

/** Typed here: some module resolutions do not find the types of the package. */
const createError = createFastifyError as unknown as <A extends unknown[]>(
  code: string,
  message: string,
  statusCode: number,
) => ErrorClass<A>

/**
 * Every error that the package raises, in one table: code, message, HTTP status. On a WebSocket the same code and
 * message go into an error frame. Each message names the parameter and the fix.
 */
export const ERR_OPTION = createError<[string, string]>('TIDINGS_ERR_OPTION', "Option '%s' %s", 500)
export const ERR_FASTIFY = createError<[]>(
  'TIDINGS_ERR_FASTIFY',
  "This version of Fastify does not expose its option 'rewriteUrl', which WebSockets require: use a supported version",
  500,
)
export const ERR_CLOSED = createError<[]>('TIDINGS_ERR_CLOSED', 'The bus is closed', 503)
export const ERR_UNAVAILABLE = createError<[]>(
  'TIDINGS_ERR_UNAVAILABLE',
  'The shared log is unreachable: try again later',
  503,
)
export const ERR_ENGINE = createError<[string]>('TIDINGS_ERR_ENGINE', '%s', 500)

export const ERR_CHANNEL = createError<[string]>('TIDINGS_ERR_CHANNEL', "Parameter 'channel' %s", 400)
export const ERR_CURSOR = createError<[]>(
  'TIDINGS_ERR_CURSOR',
  "Parameter 'cursor' must be given once: a cursor from the server, 'earliest', 'now', 'last:N' (1 to 1000) or 'since:MS'",
  400,
)
export const ERR_LIMIT = createError<[number]>(
  'TIDINGS_ERR_LIMIT',
  "Parameter 'limit' must be given once: an integer from 1 to %d",
  400,
)
export const ERR_WAIT = createError<[]>(
  'TIDINGS_ERR_WAIT',
  "Parameter 'wait' must be given once: an integer number of seconds, 0 or more",
  400,
)
export const ERR_FORMAT = createError<[string]>('TIDINGS_ERR_FORMAT', "Parameter 'format' %s", 400)
export const ERR_END = createError<[]>(
  'TIDINGS_ERR_END',
  "Parameter 'end' must be given once, without a value or as 'true' or 'false'; in a frame, as true or false",
  400,
)
export const ERR_ENDED = createError<[string]>(
  'TIDINGS_ERR_ENDED',
  "'%s' has ended: nothing can be published to it until it is reopened",
  409,
)
export const ERR_KEY = createError<[]>(
  'TIDINGS_ERR_KEY',
  "'Idempotency-Key' ('key' in a frame) must be a string of 1 to 128 characters",
  400,
)
export const ERR_PUBLISHER = createError<[]>(
  'TIDINGS_ERR_PUBLISHER',
  "'publisher' must be a string of 1 to 256 characters",
  400,
)
export const ERR_KEY_REUSED = createError<[]>(
  'TIDINGS_ERR_KEY_REUSED',
  "'Idempotency-Key' ('key' in a frame) was used for another payload in this channel: use a new key",
  422,
)
export const ERR_KEYS_FULL = createError<[]>(
  'TIDINGS_ERR_KEYS_FULL',
  'The server remembers too many idempotency keys: try again later, or publish without a key',
  503,
)

export const ERR_JSON = createError<[]>(
  'TIDINGS_ERR_JSON',
  'The body is not JSON: correct it, or send it as text/plain',
  400,
)
export const ERR_UTF8 = createError<[]>(
  'TIDINGS_ERR_UTF8',
  'The body is not UTF-8: correct it, or send it as application/octet-stream',
  400,
)
export const ERR_CHARSET = createError<[]>(
  'TIDINGS_ERR_CHARSET',
  "The charset in 'Content-Type' is not supported: send UTF-8",
  415,
)
export const ERR_ENCODING = createError<[]>(
  'TIDINGS_ERR_ENCODING',
  "This 'Content-Encoding' is not supported: send the body without one",
  415,
)
export const ERR_TRANSFER = createError<[]>(
  'TIDINGS_ERR_TRANSFER',
  "'Transfer-Encoding' must be chunked or absent",
  501,
)
export const ERR_DATA = createError<[string]>('TIDINGS_ERR_DATA', '%s', 400)
export const ERR_TOO_LARGE = createError<[number, number]>(
  'TIDINGS_ERR_TOO_LARGE',
  'The payload has %d bytes; at most %d are allowed',
  413,
)

export const ERR_ORIGIN = createError<[]>(
  'TIDINGS_ERR_ORIGIN',
  "This 'Origin' is not allowed: add it to the option 'origins'",
  403,
)
export const ERR_FORBIDDEN = createError<[]>('TIDINGS_ERR_FORBIDDEN', 'Not permitted', 403)
export const ERR_NO_PUBLISH = createError<[]>(
  'TIDINGS_ERR_NO_PUBLISH',
  "Clients may not publish here (option 'publish')",
  403,
)
export const ERR_READERS = createError<[]>(
  'TIDINGS_ERR_READERS',
  'The server holds too many readers: try again later',
  503,
)
export const ERR_CLIENT_READERS = createError<[]>(
  'TIDINGS_ERR_CLIENT_READERS',
  'This client holds too many readers: close one, or try again later',
  429,
)
export const ERR_FRAMES = createError<[]>(
  'TIDINGS_ERR_FRAMES',
  'This client sends too many frames a second: send fewer',
  429,
)
export const ERR_PUBLISHES = createError<[]>(
  'TIDINGS_ERR_PUBLISHES',
  'This client publishes too often: try again later',
  429,
)
export const ERR_UPGRADE = createError<[]>(
  'TIDINGS_ERR_UPGRADE',
  'This is a WebSocket endpoint: send Connection: Upgrade and Upgrade: websocket',
  426,
)
export const ERR_WS_VERSION = createError<[]>(
  'TIDINGS_ERR_WS_VERSION',
  "'Sec-WebSocket-Version' must be 13",
  426,
)
export const ERR_WS_KEY = createError<[]>(
  'TIDINGS_ERR_WS_KEY',
  "'Sec-WebSocket-Key' must be 16 bytes in base64",
  400,
)
export const ERR_WS_EXTENSIONS = createError<[]>(
  'TIDINGS_ERR_WS_EXTENSIONS',
  "'Sec-WebSocket-Extensions' must be a list of extensions: correct or omit it",
  400,
)

export const ERR_INTERNAL = createError<[]>('TIDINGS_ERR_INTERNAL', 'The server failed', 500)
export const ERR_FRAME = createError<[string]>('TIDINGS_ERR_FRAME', '%s', 400)
export const ERR_SUBSCRIBED = createError<[string]>(
  'TIDINGS_ERR_SUBSCRIBED',
  "'%s' is already subscribed",
  409,
)
export const ERR_NOT_SUBSCRIBED = createError<[string]>(
  'TIDINGS_ERR_NOT_SUBSCRIBED',
  "'%s' is not subscribed",
  409,
)

/** Why the log cannot return every message after a cursor. */
export type GapReason = 'trimmed' | 'epoch' | 'ahead'

const GapBase = createError<[string, string]>(
  'TIDINGS_ERR_GAP',
  'The log no longer has every message after this cursor (%s): continue from %s',
  410,
)

/** Thrown to a reader at a gap, unless it handles gaps itself. */
export class GapError extends GapBase {
  /**
   * `trimmed`: retention removed messages after the cursor. `epoch`: the log started over. `ahead`: the cursor is past
   * the end that it shares with the log.
   */
  readonly reason: GapReason
  /** The cursor to resume from: no message is missing after it. */
  readonly cursor: string

  constructor(reason: GapReason, cursor: string) {
    super(reason, cursor)
    this.reason = reason
    this.cursor = cursor
  }
}
