import type { FastifyBaseLogger } from 'fastify'

/** Characters of a frame that are logged. */
const MOST = 1000

/** Logs what a client sent on a socket: a long frame is cut, bytes are only counted. */
export function logFrame(log: FastifyBaseLogger, path: string, frame: string | Buffer): void {
  const shown = typeof frame === 'string' ? frame.slice(0, MOST) : `${frame.length} bytes`
  log.info({ path, frame: shown }, 'a message came in over a socket')
}
