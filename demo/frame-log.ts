import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'

/** Characters of a frame that are logged. */
const MOST = 1000

/** Apps of this process that log frames: each frame goes into the log of its own request, once. */
let apps = 0

/** Logs what clients send on sockets: a long frame is cut, bytes are only counted. */
export function logFrames(app: FastifyInstance): void {
  if (apps++ === 0) subscribe('tidings.frame', logFrame)
  app.addHook('onClose', async () => {
    if (--apps === 0) unsubscribe('tidings.frame', logFrame)
  })
}

function logFrame(message: unknown): void {
  const { log, path, frame } = message as { log: FastifyBaseLogger; path: string; frame: string | Buffer }
  const shown = typeof frame === 'string' ? frame.slice(0, MOST) : `${frame.length} bytes`
  log.info({ path, frame: shown }, 'a message came in over a socket')
}
