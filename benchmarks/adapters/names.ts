/** Names of the bundled adapters. */
export const SHIPPED = [
  ...(['tidings', 'ws', 'http', 'fastify-websocket'] as const),
  ...(['better-sse', 'fastify-sse', 'socket.io', 'nchan'] as const),
]
