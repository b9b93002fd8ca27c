import { sseSchema, wsSchema } from '../routes/http/schemas.ts'
import { CLIENT_FRAMES, END, ENVELOPE, GAP, READY, SERVER_FRAMES } from './schemas.ts'

const message = (name: string, payload: object, contentType = 'application/json') => ({
  name,
  contentType,
  payload,
})

/** The names of these messages, as references to a part of the document. */
function refs(at: string, names: readonly string[]): { $ref: string }[] {
  return names.map((name) => ({ $ref: `#/${at}/messages/${name}` }))
}

function messages(schemas: Record<string, object>): Record<string, object> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, message(name, schema)]))
}

/** AsyncAPI 3: the frames of /ws and the events of /sse. */
export function asyncapi(): object {
  const server = { envelope: ENVELOPE, ...SERVER_FRAMES }
  const stream = { ready: READY, message: ENVELOPE, gap: GAP, end: END, bytes: { type: 'string' } }
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'fastify-tidings',
      version: '0.1.0',
      description: 'The frames of /ws, and the data of the events of /sse',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: {
      ws: {
        address: '/ws',
        summary: wsSchema.summary,
        messages: messages({ ...server, ...CLIENT_FRAMES }),
        bindings: { ws: { method: 'GET', query: wsSchema.querystring, bindingVersion: '0.1.0' } },
      },
      sse: {
        address: '/sse',
        summary: sseSchema.summary,
        description: 'The name of an event is that of its message here. The event of a message has no name.',
        messages: messages(stream),
      },
    },
    operations: {
      receiveFrames: {
        action: 'send',
        channel: { $ref: '#/channels/ws' },
        summary: 'Frames from the server',
        messages: refs('channels/ws', Object.keys(server)),
      },
      sendFrames: {
        action: 'receive',
        channel: { $ref: '#/channels/ws' },
        summary: 'Frames from the client',
        messages: refs('channels/ws', Object.keys(CLIENT_FRAMES)),
      },
      receiveEvents: {
        action: 'send',
        channel: { $ref: '#/channels/sse' },
        summary: `Events of the stream. Query parameters: ${Object.keys((sseSchema.querystring as { properties: object }).properties).join(', ')}`,
        messages: refs('channels/sse', Object.keys(stream)),
      },
    },
  }
}
