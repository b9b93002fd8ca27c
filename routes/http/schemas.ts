import type { FastifySchema } from 'fastify'

type Shown = FastifySchema & { summary: string }

/**
 * The schemas of the routes, for @fastify/swagger. The routes validate their parameters themselves, so that an error
 * names the parameter and the fix, and no compiled validator runs for a message; see `compilers`.
 */
const channel = {
  type: 'array',
  items: { type: 'string', pattern: '^[A-Za-z0-9_.:~-]{1,128}$' },
  description: "Repeatable, at most 32 times. Default: 'default'",
}
const cursor = {
  type: 'string',
  description:
    "A cursor from the server, 'earliest', 'last:N' (1 to 1000), 'since:MS' (milliseconds since 1970) or 'now'",
}
const format = { type: 'string', enum: ['raw'], description: 'Only payloads; requires one channel' }
const limit = { type: 'integer', minimum: 1, description: 'Maximum number of messages in the response' }
const wait = { type: 'integer', minimum: 0, description: 'Maximum time to hold the request, in seconds' }

const error = {
  type: 'object',
  additionalProperties: true,
  properties: {
    statusCode: { type: 'integer' },
    code: { type: 'string' },
    error: { type: 'string' },
    message: { type: 'string' },
  },
}

/** Lists reason and cursor, so that the serializer of a thrown error keeps them. */
const gap = {
  description: 'The log no longer has every message after the cursor',
  type: 'object',
  additionalProperties: true,
  properties: {
    ...error.properties,
    reason: { type: 'string', enum: ['trimmed', 'epoch', 'ahead'] },
    cursor: { type: 'string' },
  },
}

const querystring = (properties: object) => ({ type: 'object', properties })

export const pollSchema: Shown = {
  summary: 'Returns the messages after a cursor at once',
  querystring: querystring({ channel, cursor, limit, format }),
  response: { 410: gap },
}

export const longpollSchema: Shown = {
  summary: 'Returns the messages after a cursor as soon as there are any',
  querystring: querystring({ channel, cursor, limit, format, wait }),
  response: { 410: gap },
}

export const sseSchema: Shown = {
  summary: 'Streams the messages after a cursor as server-sent events',
  querystring: querystring({ channel, cursor, format }),
}

export const wsSchema: Shown = {
  summary: 'Sends the messages after a cursor over a WebSocket, and accepts messages',
  querystring: querystring({ channel, cursor, format }),
}

export const echoSchema: Shown = { summary: 'A WebSocket that returns each frame' }

export const statsSchema: Shown = { summary: 'Returns the size of the log and the traffic of each transport' }

export const publishSchema: Shown = {
  summary: 'Publishes the body to a channel',
  querystring: querystring({
    channel: { ...channel.items, description: "Default: 'default'" },
    end: {
      type: 'string',
      enum: ['', 'true', 'false'],
      description: 'Ends the channel; the body may be empty',
    },
  }),
  headers: { type: 'object', properties: { 'idempotency-key': { type: 'string', maxLength: 128 } } },
}

/** Copies an error for the serializer: its properties are not enumerable. */
type Failure = Error & Record<'statusCode' | 'code' | 'error' | 'reason' | 'cursor', unknown>

function serialize(data: unknown): string {
  if (!(data instanceof Error)) return JSON.stringify(data)
  const { statusCode, code, error, message, reason, cursor } = data as Failure
  return JSON.stringify({ statusCode, code, error, message, reason, cursor })
}

/**
 * The compilers of each route: the app's own may not support JSON Schema, or may write another format. Only a 410 is
 * serialised, or the result of an app's error handler for it.
 */
export const compilers = { validatorCompiler: () => () => true, serializerCompiler: () => serialize }

/** The serializer of a reply whose payload is the body: an app may have set another one. */
export const asIs = (payload: unknown): string => payload as string
