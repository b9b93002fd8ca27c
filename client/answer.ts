import { waitOf } from './time.ts'
import type { ConnectOptions, Credentials, Fault } from './types.ts'

/** Returns the current credentials. @throws the error of getToken */
export async function credentials({ getToken }: Pick<ConnectOptions, 'getToken'>): Promise<Credentials> {
  const token = await getToken?.()
  if (typeof token !== 'string') return token ?? {}
  return { headers: { authorization: `Bearer ${token}` }, query: { access_token: token } }
}

/** Options of a fetch: the user's, then the credentials. */
export function initOf(
  { request }: Required<Pick<ConnectOptions, 'request'>>,
  { headers: shown }: Credentials,
  signal: AbortSignal,
): RequestInit {
  const headers = new Headers(request.headers)
  for (const [name, value] of Object.entries(shown ?? {})) headers.set(name, value)
  // A browser serializes equal requests whose responses it might cache: two tabs would wait for each other.
  return { ...request, cache: 'no-store', headers, signal } as RequestInit
}

/** A fault with the details that decide how to continue. */
export interface Failure extends Fault {
  /** The response comes from the server, not from a proxy. */
  readonly own?: boolean
  /** The server refused the connection. */
  readonly refused?: boolean
  /** A timeout without data. */
  readonly silent?: boolean
  /** The transport is unsuitable here. */
  readonly weak?: boolean
}

/** Describes an unsuccessful response. It is the server's own if its body is an error of Fastify. */
export async function faultOf(response: Response): Promise<Failure> {
  const { status, headers } = response
  const body = await response.json().catch(() => {})
  const { statusCode, error, code, message } = Object(body)
  const own = /^TIDINGS_/.test(code) || (statusCode === status && typeof error === 'string')
  const after = waitOf(headers.get('retry-after')) ?? (status === 429 || status === 503 ? 0 : undefined)
  const refused = status === 400 || status === 401 || status === 403
  return {
    message: own ? `${message}` : `the server responded with ${status}`,
    code: (own && code) || status,
    status,
    own,
    refused,
    final: own && refused,
    ...(after !== undefined && { after }),
  }
}

/** Whether new credentials may succeed. */
export function isDenied({ status, code }: Fault): boolean {
  return status === 401 || code === 'TIDINGS_ERR_FORBIDDEN' || code === 1008
}
