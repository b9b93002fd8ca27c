import type { FastifyReply, onSendHookHandler } from 'fastify'
import type { Gap } from '../../bus/bound.ts'
import { GapError } from '../../bus/errors.ts'
import type { Log } from '../../bus/log.ts'
import type { OpenConnections } from './open-connections.ts'
import { gapTold } from './reader-channels.ts'

const EXPOSED = ['Tidings-Cursor', 'Tidings-Gap', 'ETag', 'Retry-After', 'Preference-Applied']

/**
 * Adds the headers of every answer, errors included. `no-store`: a browser's cache adds If-None-Match by itself and
 * would lose messages. Exposed headers are joined with those that CORS has set. `Connection: close` while the server
 * closes: a kept-alive connection would delay it.
 */
export function commonHeaders(readers: OpenConnections): onSendHookHandler {
  return function setCommonHeaders(request, reply, _payload, done) {
    if (!String(reply.getHeader('cache-control')).startsWith('no-store'))
      reply.header('cache-control', 'no-store')
    if (request.headers.origin !== undefined) {
      reply.header('access-control-expose-headers', exposed(reply.getHeader('access-control-expose-headers')))
    }
    if (readers.closing && request.raw.httpVersionMajor === 1) reply.header('connection', 'close')
    done()
  }
}

/** Exposes our headers to pages of other origins, beside those exposed already. */
export function exposed(before: Header, ours = EXPOSED): string {
  return joined(before, ours)
}

type Header = number | string | string[] | undefined

/** Adds names to a header that is a list, without duplicates. */
export function joined(before: Header, others: readonly string[]): string {
  const names = String(before ?? '')
    .split(',')
    .map((name) => name.trim())
  const known = new Set(names.map((name) => name.toLowerCase()))
  return [...names.filter(Boolean), ...others.filter((name) => !known.has(name.toLowerCase()))].join(', ')
}

/** @throws TIDINGS_ERR_GAP: 410, with reason and cursor in the body and in headers */
export function refuseGap(log: Log, reply: FastifyReply, gap: Gap): never {
  const cursor = log.cursor(gap.seq)
  // In headers too, since an app may change the bodies of errors.
  reply.header('tidings-gap', gap.reason).header('tidings-cursor', cursor)
  gapTold(reply.request.routeOptions.url!.split('/').at(-1)!, gap.reason, cursor)
  throw new GapError(gap.reason, cursor)
}
