import { channel } from 'node:diagnostics_channel'
import type { FastifyBaseLogger } from 'fastify'

/** What is published on the diagnostics channel `tidings.frame` for each frame that a client sends on a socket. */
export interface FrameMessage {
  /** The log of the request that opened the socket. */
  readonly log: FastifyBaseLogger
  /** The URL of that request. */
  readonly path: string
  /** A text frame as text, a binary frame as bytes. */
  readonly frame: string | Buffer
}

/** Without a subscriber it costs nothing, and a socket does not keep its path. */
export const frameChannel = channel('tidings.frame')
