import type { FastifyRequest } from 'fastify'
import { ERR_ORIGIN } from '../../bus/errors.ts'

/**
 * Checks `Origin`. A browser lets any page publish and open sockets without a preflight request, so only this check
 * keeps foreign pages out. `null` (a sandboxed page or a file) is foreign. A request without `Origin` comes from no
 * page.
 * @see RFC 6455 section 10.2
 */
export class Origins {
  readonly #allowed: readonly (string | RegExp)[]
  /** Whether a refusal has been logged. Only the first one is. */
  #warned = false

  /** @param allowed origins beside the request's own host */
  constructor(allowed: readonly (string | RegExp)[]) {
    this.#allowed = allowed
  }

  /** @throws TIDINGS_ERR_ORIGIN */
  check(request: FastifyRequest): void {
    const { origin } = request.headers
    if (origin === undefined || this.#allows(origin) || isOwn(origin, request.host)) return
    if (!this.#warned) {
      this.#warned = true
      warn(request, origin)
    }
    throw new ERR_ORIGIN()
  }

  #allows(origin: string): boolean {
    return this.#allowed.some(
      (each) => each === '*' || each === origin || (each instanceof RegExp && origin.search(each) !== -1),
    )
  }
}

/** Compares hosts only: behind a proxy that terminates TLS, the app does not know the scheme. */
function isOwn(origin: string, own: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, host } = new URL(origin)
  const address = `${protocol}//${own}`
  return host !== '' && URL.canParse(address) && new URL(address).host === host
}

/** The usual cause is a proxy that rewrites Host; its users only see that a transport fails. */
function warn({ log, host, headers, url }: FastifyRequest, origin: string): void {
  const header = host === headers.host ? 'Host' : 'X-Forwarded-Host'
  log.warn(
    { origin: origin.slice(0, 200), host: host.slice(0, 200), header, path: url.split('?', 1)[0] },
    `The Origin of a page was refused: it does not match the header ${header}. If a proxy ` +
      'rewrites Host, configure it to forward the original header (nginx: proxy_set_header Host $http_host; Apache: ' +
      "ProxyPreserveHost On), or set Fastify's trustProxy if the proxy sends X-Forwarded-Host. To allow pages of other " +
      "sites, add their origins to the option 'origins' of fastify-tidings. Further refusals are not logged",
  )
}
