import type { FastifyRequest } from 'fastify'
import { ERR_ORIGIN } from './errors.ts'

/**
 * Refuses requests from pages of other sites. A browser lets any page open a WebSocket or send a POST without a body.
 * @throws TIDINGS_ERR_ORIGIN
 * @see RFC 6455 section 10.2
 */
export function checkOrigin({ headers, host }: FastifyRequest): void {
  const { origin } = headers
  if (origin === undefined) return
  const own = URL.canParse(origin) && new URL(origin)
  if (!own || own.host === '' || own.host !== hostOf(`${own.protocol}//${host}`)) throw new ERR_ORIGIN()
}

function hostOf(address: string): string | undefined {
  return URL.canParse(address) ? new URL(address).host : undefined
}
