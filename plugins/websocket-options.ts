import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { maxFrame } from '../routes/ws/frame-limit.ts'
import { handleProtocols } from '../routes/ws/handshake.ts'

/**
 * Maximum chunks of a frame, and fragments of a message, that ws buffers. A chunk of one byte takes 200 bytes, and may
 * keep the 64 KiB of its read alive.
 */
const PIECES: object = { maxBufferedChunks: 4096, maxFragments: 128 }

/** Options of @fastify/websocket. Typed here so that an app does not need the types of ws. */
export interface WebsocketOptions {
  options: {
    handleProtocols: (offered: Set<string>) => string | false
    maxPayload: number
    perMessageDeflate: false
  }
  errorHandler: (error: Error, socket: unknown, request: FastifyRequest) => void
  preClose: (done: () => void) => void
}

/**
 * Options for an app that registers @fastify/websocket itself.
 * @param payloadLimit the plugin's option of that name, in bytes. @default 65536
 */
export function websocketOptions(payloadLimit: number = 64 * 1024): WebsocketOptions {
  return {
    options: { handleProtocols, maxPayload: maxFrame(payloadLimit), perMessageDeflate: false, ...PIECES },
    // ws closes with the right code: 1002, 1007 or 1009. The plugin's own handler would destroy the socket.
    errorHandler(error, _socket, request) {
      logFailure(error, request.log)
    },
    // This package closes its sockets with 1001 and waits.
    preClose(done) {
      done()
    },
  }
}

export function logFailure(err: Error, log: FastifyBaseLogger): void {
  log.debug({ err }, 'a WebSocket failed')
}
