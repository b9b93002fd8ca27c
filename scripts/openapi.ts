import fastifySwagger from '@fastify/swagger'
import Fastify from 'fastify'
import tidings from '../index.ts'
import { ACCEPTED, ENVELOPE, ERROR, GAP_ERROR, PAGE, STATS } from './schemas.ts'

interface Operation {
  responses: Record<string, object>
  requestBody?: object
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const header = (description: string) => ({ description, schema: { type: 'string' } })
const CURSOR_HEADER = { 'Tidings-Cursor': header('The position to continue from') }
const json = (description: string, schema: object, headers?: object) => ({
  description,
  ...(headers && { headers }),
  content: { 'application/json': { schema } },
})
const error = (description: string) => json(description, ref('Error'))

const RAW = {
  'text/plain': { schema: { type: 'string' } },
  'application/octet-stream': { schema: {} },
}
const READING = {
  200: {
    description: 'Messages; with format=raw, one payload',
    content: { 'application/json': { schema: ref('Page') }, ...RAW },
  },
  204: {
    description: 'No messages; with format=raw, this may also mean that the channel has ended',
    headers: { ...CURSOR_HEADER, 'Tidings-Ended': header('With format=raw: the channel has ended') },
  },
  304: { description: 'No messages, and If-None-Match names the position', headers: CURSOR_HEADER },
  400: error('A parameter is malformed'),
  403: error('Not permitted'),
  410: json('A gap', ref('GapError'), { ...CURSOR_HEADER, 'Tidings-Gap': header('The reason') }),
}
const REFUSED = {
  429: error('This client holds too many readers'),
  503: error('The server holds too many readers'),
}
const SOCKET = {
  101: { description: 'A WebSocket: see asyncapi.json' },
  400: error('A parameter or the handshake is malformed'),
  403: error('Not permitted, or the origin is foreign'),
  426: error('Not a WebSocket handshake of version 13'),
  ...REFUSED,
}

/** The responses of each route, in addition to its schema. */
const RESPONSES: Record<string, Record<number, object>> = {
  '/poll': READING,
  '/longpoll': { ...READING, ...REFUSED },
  '/sse': {
    200: {
      description: 'A stream: see asyncapi.json',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    },
    400: error('A parameter is malformed'),
    403: error('Not permitted'),
  },
  '/ws': SOCKET,
  '/echo': SOCKET,
  '/stats': { 200: json('Statistics', ref('Stats')), 403: error('Not permitted') },
  '/publish': {
    200: json('Already published with this key', ref('Accepted')),
    201: json('Published', ref('Accepted')),
    400: error('The body or a parameter is malformed'),
    403: error('Not permitted, or the origin is foreign'),
    409: error('The channel has ended'),
    413: error('The payload is too large'),
    415: error('The type or the encoding of the body is not supported'),
    422: error('The key was used for another payload'),
    429: error('This client publishes too often'),
    501: error('The transfer coding is not supported'),
    503: error('Too many keys, or the server is closing'),
  },
}

/** OpenAPI 3.1: the output of @fastify/swagger for the routes' schemas, with their responses. */
export async function openapi(): Promise<object> {
  const app = Fastify()
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'fastify-tidings',
        version: '0.1.0',
        description: 'One message log over polling, long polling, Server-Sent Events and WebSocket',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: "The plugin's prefix" }],
    },
  })
  await app.register(tidings, { publish: true, stats: true, echo: true })
  await app.ready()
  const document = JSON.parse(JSON.stringify(app.swagger())) as {
    paths: Record<string, Record<string, Operation>>
    components: object
  }
  await app.close()
  document.components = {
    schemas: {
      Envelope: ENVELOPE,
      Page: PAGE(ref('Envelope')),
      Accepted: ACCEPTED,
      Error: ERROR,
      GapError: GAP_ERROR,
      Stats: STATS,
    },
  }
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const operation of Object.values(operations)) {
      operation.responses = RESPONSES[path]!
      if (path === '/publish') {
        operation.requestBody = {
          required: true,
          content: {
            'application/json': { schema: {} },
            'text/plain': { schema: { type: 'string' } },
            'application/octet-stream': { schema: {} },
          },
        }
      }
    }
  }
  return document
}
