import type { FastifyRequest } from 'fastify'
import { ERR_ORIGIN } from '../bus/errors.ts'

/**
 * A browser sends a page's origin with what the page publishes and with each socket that it opens, and asks nobody
 * first: what keeps foreign pages out is this check. `null` (a sandboxed page, a file) is foreign; a request without
 * an origin comes from no page.
 * @throws TIDINGS_ERR_ORIGIN
 * @see RFC 6455 section 10.2
 */
export function checkOrigin(request: FastifyRequest, allowed: readonly (string | RegExp)[]): void {
  const { origin } = request.headers
  if (origin === undefined) return
  for (const each of allowed) {
    if (each === '*' || each === origin || (each instanceof RegExp && origin.search(each) !== -1)) return
  }
  // The scheme is left out: behind a proxy that ends TLS the app does not see it.
  if (URL.canParse(origin)) {
    const { protocol, host } = new URL(origin)
    if (
      host !== '' &&
      URL.canParse(`${protocol}//${request.host}`) &&
      new URL(`${protocol}//${request.host}`).host === host
    ) {
      return
    }
  }
  throw new ERR_ORIGIN()
}
