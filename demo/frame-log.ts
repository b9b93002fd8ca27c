import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'

/** Maximum characters of a frame in the log. */
const MOST = 1000

/** Apps in this process that log frames. A frame is logged once, by the logger of its request. */
let apps = 0

/** Logs the frames of clients. Long frames are truncated; of binary frames only the size is logged. */
export function logFrames(app: FastifyInstance): void {
  if (apps++ === 0) subscribe('tidings.frame', logFrame)
  app.addHook('onClose', async () => {
    if (--apps === 0) unsubscribe('tidings.frame', logFrame)
  })
}

function logFrame(message: unknown): void {
  const { log, path, frame } = message as { log: FastifyBaseLogger; path: string; frame: string | Buffer }
  const shown = typeof frame === 'string' ? frame.slice(0, MOST) : `${frame.length} bytes`
  log.info({ path, frame: shown }, 'received a frame over a socket')
}
