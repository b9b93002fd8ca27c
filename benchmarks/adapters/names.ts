/** Names of the bundled adapters. */
export const BUNDLED = [
  ...(['tidings', 'ws', 'http', 'fastify-websocket'] as const),
  ...(['better-sse', 'fastify-sse', 'socket.io', 'nchan'] as const),
]
