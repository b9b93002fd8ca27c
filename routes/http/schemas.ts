import type { FastifySchema } from 'fastify'

type Shown = FastifySchema & { summary: string }

/**
 * The schemas of the routes, for @fastify/swagger. The routes validate by themselves, so that an error names the
 * parameter and the fix, and no compiled validator runs for a message; see `compilers`.
 */
const channel = {
  type: 'array',
  items: { type: 'string', pattern: '^[A-Za-z0-9_.:~-]{1,128}$' },
  description: "Repeatable, 32 at most. Default: 'default'",
}
const cursor = {
  type: 'string',
  description:
    "A cursor as the server gave it, 'earliest', 'last:N' (1 to 1000), 'since:MS' (since 1970) or 'now'",
}
const format = { type: 'string', enum: ['raw'], description: 'Payloads alone; with one channel' }
const limit = { type: 'integer', minimum: 1, description: 'Messages in the answer, at most' }
const wait = { type: 'integer', minimum: 0, description: 'Seconds to hold the request' }

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
  summary: 'The messages after a cursor, at once',
  querystring: querystring({ channel, cursor, limit, format }),
  response: { 410: gap },
}

export const longpollSchema: Shown = {
  summary: 'The messages after a cursor, as soon as there is one',
  querystring: querystring({ channel, cursor, limit, format, wait }),
  response: { 410: gap },
}

export const sseSchema: Shown = {
  summary: 'The messages after a cursor, as server-sent events',
  querystring: querystring({ channel, cursor, format }),
}

export const wsSchema: Shown = {
  summary: 'The messages after a cursor, over a WebSocket that publishes, too',
  querystring: querystring({ channel, cursor, format }),
}

export const echoSchema: Shown = { summary: 'A WebSocket that sends each frame back' }

export const statsSchema: Shown = { summary: 'What the log keeps, and what each transport has cost' }

export const publishSchema: Shown = {
  summary: 'Publish the body to a channel',
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
