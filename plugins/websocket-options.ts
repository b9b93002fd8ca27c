import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { maxFrame } from '../routes/ws/frame-limit.ts'
import { handleProtocols } from '../routes/ws/handshake.ts'

/**
 * Pieces of a frame, and of a message, that ws keeps until it is whole. A piece of one byte takes 200 bytes, and it may
 * keep the 64 KiB alive that it was read with.
 */
const PIECES: object = { maxBufferedChunks: 4096, maxFragments: 128 }

/** Options of @fastify/websocket. They are typed here, so that an app needs no types of ws. */
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
 * What @fastify/websocket is to be registered with where an app registers it by itself.
 * @param payloadLimit the plugin's option of that name, in bytes. @default 65536
 */
export function websocketOptions(payloadLimit: number = 64 * 1024): WebsocketOptions {
  return {
    options: { handleProtocols, maxPayload: maxFrame(payloadLimit), perMessageDeflate: false, ...PIECES },
    // ws closes with the code that the fault calls for, 1002, 1007 or 1009; the plugin's own handler would cut it off.
    errorHandler(error, _socket, request) {
      logFailure(error, request.log)
    },
    // Ours closes with 1001, and waits.
    preClose(done) {
      done()
    },
  }
}

export function logFailure(err: Error, log: FastifyBaseLogger): void {
  log.debug({ err }, 'a WebSocket failed')
}
