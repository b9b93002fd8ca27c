import type { FastifyReply, onSendHookHandler } from 'fastify'
import type { Gap } from '../../bus/bound.ts'
import { GapError } from '../../bus/errors.ts'
import type { Log } from '../../bus/log.ts'
import type { OpenConnections } from './open-connections.ts'
import { gapTold } from './reader-channels.ts'

const EXPOSED = ['Tidings-Cursor', 'Tidings-Gap', 'ETag', 'Retry-After', 'Preference-Applied']

/**
 * The headers that every answer carries, errors too. A cache that adds If-None-Match by itself, as a browser's does,
 * would lose messages: nothing is stored. What scripts of another origin may read is joined with what CORS has set. A
 * server that goes away ends the connection with the answer: one that is kept alive would hold its close up.
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

/** What a page of another origin may read: these, and what was allowed before. */
export function exposed(before: Header, ours = EXPOSED): string {
  return joined(before, ours)
}

type Header = number | string | string[] | undefined

/** A header that is a list of names: those that it has, and others that it has not yet. */
export function joined(before: Header, others: readonly string[]): string {
  const names = String(before ?? '')
    .split(',')
    .map((name) => name.trim())
  const known = new Set(names.map((name) => name.toLowerCase()))
  return [...names.filter(Boolean), ...others.filter((name) => !known.has(name.toLowerCase()))].join(', ')
}

/** @throws TIDINGS_ERR_GAP: 410, with the reason and the place to go on from in the body and in headers */
export function refuseGap(log: Log, reply: FastifyReply, gap: Gap): never {
  const cursor = log.cursor(gap.seq)
  // In headers too: an app may reshape the bodies of its errors.
  reply.header('tidings-gap', gap.reason).header('tidings-cursor', cursor)
  gapTold(reply.request.routeOptions.url!.split('/').at(-1)!, gap.reason, cursor)
  throw new GapError(gap.reason, cursor)
}
