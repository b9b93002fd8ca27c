import { channel } from 'node:diagnostics_channel'
import type { FastifyBaseLogger } from 'fastify'

/** Published on the diagnostics channel `tidings.frame` for each frame of a client. */
export interface FrameMessage {
  /** The logger of the request that opened the socket. */
  readonly log: FastifyBaseLogger
  /** The URL of that request. */
  readonly path: string
  /** The content: a string for a text frame, a Buffer for a binary frame. */
  readonly frame: string | Buffer
}

/** Free of cost without a subscriber; sockets then do not store their path. */
export const frameChannel = channel('tidings.frame')
