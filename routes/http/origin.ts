import type { FastifyRequest } from 'fastify'
import { ERR_ORIGIN } from '../../bus/errors.ts'

/**
 * A browser sends a page's origin with what the page publishes and with each socket that it opens, and asks nobody
 * first: what keeps foreign pages out is this check. `null` (a sandboxed page, a file) is foreign; a request without
 * an origin comes from no page.
 * @see RFC 6455 section 10.2
 */
export class Origins {
  readonly #allowed: readonly (string | RegExp)[]
  /** Whether a refusal has been logged: one is, whoever comes. */
  #warned = false

  /** @param allowed beside the request's own host */
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

/** The scheme is left out: behind a proxy that ends TLS the app does not see it. */
function isOwn(origin: string, own: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, host } = new URL(origin)
  const address = `${protocol}//${own}`
  return host !== '' && URL.canParse(address) && new URL(address).host === host
}

/** A proxy that rewrites Host is the usual cause, and all that its users see is that one transport does not work. */
function warn({ log, host, headers, url }: FastifyRequest, origin: string): void {
  const header = host === headers.host ? 'Host' : 'X-Forwarded-Host'
  log.warn(
    { origin: origin.slice(0, 200), host: host.slice(0, 200), header, path: url.split('?', 1)[0] },
    `The Origin of a page was refused: it does not match the header ${header}. Behind a proxy that rewrites Host, let ` +
      'the proxy pass the original header (nginx: proxy_set_header Host $http_host; Apache: ProxyPreserveHost On), or ' +
      "set Fastify's trustProxy if it sends X-Forwarded-Host. Add the pages of other sites to the option " +
      "'origins' of fastify-tidings. Further refusals are not logged",
  )
}
