/** JSON Schemas of the wire format, for both descriptions. */

const CURSOR = '^[A-Za-z0-9_-]{4,32}\\.(0|[1-9][0-9]{0,15})$'
const CHANNEL = '^[A-Za-z0-9_.:~-]{1,128}$'

const cursor = { type: 'string', pattern: CURSOR }
const channel = { type: 'string', pattern: CHANNEL }
const reason = { type: 'string', enum: ['trimmed', 'epoch', 'ahead'] }
const ref = { description: 'Chosen by the client and repeated in the reply' }
const encoding = { const: 'base64', description: 'Bytes' }

type Properties = Record<string, object>

/** An object with these members; those that are named are optional. */
function object(properties: Properties, optional: readonly string[] = []): object {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', required, properties }
}

/** A frame of one type. */
function frame(type: string, properties: Properties, optional: readonly string[] = []): object {
  return object({ type: { const: type }, ...properties }, optional)
}

export const ENVELOPE = object(
  {
    cursor,
    channel,
    time: { type: 'integer', description: 'Milliseconds since 1970' },
    data: {},
    encoding,
    end: { const: true, description: 'In a page: the last data of a channel that has ended' },
  },
  ['encoding', 'end'],
)

export const READY = object({ cursor })
export const GAP = object({ reason, cursor })
export const END = object({ channel, cursor, data: {}, encoding }, ['data', 'encoding'])

export const PAGE = (envelope: object): object =>
  object(
    {
      cursor,
      messages: { type: 'array', items: envelope },
      more: { type: 'boolean' },
      ended: { type: 'array', items: channel, description: 'The channels that have ended' },
    },
    ['ended'],
  )

export const ACCEPTED = object({ cursor, channel, time: { type: 'integer' } })

const ERROR_MEMBERS = {
  statusCode: { type: 'integer' },
  code: { type: 'string' },
  error: { type: 'string' },
  message: { type: 'string' },
}

/** An app may have other members. */
export const ERROR = object(ERROR_MEMBERS, ['code'])
export const GAP_ERROR = object({ ...ERROR_MEMBERS, reason, cursor })

const counts = (...names: string[]) =>
  object(Object.fromEntries(names.map((name) => [name, { type: 'number' }])))
const cost = counts('open', 'requests', 'messages', 'bytesIn', 'bytesOut')

export const STATS = object({
  bus: object({
    epoch: { type: 'string' },
    head: { type: 'integer' },
    channels: { type: 'integer' },
    messages: { type: 'integer' },
    bytes: { type: 'integer' },
    connected: { type: 'boolean' },
    lag: { type: 'integer' },
  }),
  transports: object({ poll: cost, longpoll: cost, sse: cost, ws: cost }),
  process: object({
    cpuMs: { type: 'number' },
    rssBytes: { type: 'number' },
    eventLoopDelayMs: counts('p50', 'p99'),
  }),
})

/** Frames that the server sends on /ws, beside envelopes. */
export const SERVER_FRAMES: Record<string, object> = {
  ready: frame('ready', { cursor }),
  gap: frame('gap', { reason, cursor, channel, ref }, ['channel', 'ref']),
  end: frame('end', { channel, cursor, data: {}, encoding }, ['data', 'encoding']),
  published: frame('published', { ref, cursor }, ['ref']),
  subscribed: frame('subscribed', { ref, channel, cursor }, ['ref']),
  unsubscribed: frame('unsubscribed', { ref, channel }, ['ref']),
  pong: frame('pong', { ref, cursor }, ['ref']),
  error: frame('error', { ref, code: { type: 'string' }, message: { type: 'string' } }, ['ref']),
}

/** Frames that a client sends on /ws. */
export const CLIENT_FRAMES: Record<string, object> = {
  publish: frame(
    'publish',
    {
      channel,
      data: {},
      encoding,
      key: { type: 'string', minLength: 1, maxLength: 128 },
      end: { type: 'boolean', description: 'Ends the channel; data is optional' },
      ref,
    },
    ['channel', 'data', 'encoding', 'key', 'end', 'ref'],
  ),
  subscribe: frame('subscribe', { channel, cursor: { type: 'string' }, ref }, ['channel', 'cursor', 'ref']),
  unsubscribe: frame('unsubscribe', { channel, ref }, ['channel', 'ref']),
  ping: frame('ping', { ref }, ['ref']),
}
