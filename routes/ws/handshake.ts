import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { ERR_UPGRADE, ERR_WS_KEY, ERR_WS_VERSION } from '../../bus/errors.ts'
import type { Context } from '../http/context.ts'
import { HELD } from '../http/held.ts'
import { type Query, queryOf } from '../http/query.ts'
import type { ReadQuery } from '../http/read-query.ts'
import { retryAfter } from '../http/retry.ts'
import { compilers } from '../http/schemas.ts'
import { onceSettled } from '../http/settled.ts'
import { upgradeOf } from '../http/upgrade.ts'
import { deflateOffer } from './extensions.ts'

/** 16 bytes in base64 (RFC 6455 section 4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/

/**
 * Checks a handshake. Errors are sent over HTTP, before any upgrade.
 * @throws TIDINGS_ERR_UPGRADE, TIDINGS_ERR_WS_VERSION, TIDINGS_ERR_WS_KEY
 * @see RFC 6455 section 4.2
 */
export function checkHandshake(request: FastifyRequest, reply: FastifyReply): void {
  if (upgradeOf(request.raw) === undefined) {
    // RFC 9110 sections 7.8 and 15.5.22; `Connection: close` is honoured (RFC 9112 section 9.6)
    const last = /\bclose\b/i.test(request.headers.connection ?? '')
    reply.header('upgrade', 'websocket').header('connection', last ? 'upgrade, close' : 'upgrade')
    throw new ERR_UPGRADE()
  }
  const { headers } = request
  reply.header('connection', 'close')
  // A number in an injected request.
  if (String(headers['sec-websocket-version']) !== '13') {
    reply
      .header('sec-websocket-version', '13')
      .header('upgrade', 'websocket')
      .header('connection', 'upgrade, close')
    throw new ERR_WS_VERSION()
  }
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) throw new ERR_WS_KEY()
}

/**
 * The common part of the socket routes: every error is sent before the upgrade. Over HTTP/2 the routes do not exist.
 * @param parse validates the query; without it the route has no reader, and `authorize` is not called
 */
export function socketRoute(
  context: Context,
  name: 'ws' | 'echo',
  parse?: (query: Query) => ReadQuery,
): Pick<
  RouteOptions,
  | 'method'
  | 'exposeHeadRoute'
  | 'config'
  | 'validatorCompiler'
  | 'serializerCompiler'
  | 'onRequest'
  | 'preHandler'
> {
  const { settings, guard, readers, meter } = context
  return {
    method: 'GET',
    exposeHeadRoute: false,
    config: HELD,
    ...compilers,
    onRequest: function checkUpgrade(request, reply, done) {
      if (request.raw.httpVersionMajor === 2) {
        reply.callNotFound()
        return
      }
      if (name === 'ws') meter?.begin('ws', request.raw, reply.raw)
      checkHandshake(request, reply)
      settings.origins.check(request)
      // Offers are selected later; malformed ones are an error now.
      if (settings.compression) deflateOffer(request.headers['sec-websocket-extensions'])
      parse?.(queryOf(request))
      done()
    },
    preHandler: [
      ...(parse
        ? guard.hook((request) => ({ action: 'subscribe', channels: parse(queryOf(request)).channels }))
        : []),
      function waitForCursor(request, _reply, done) {
        onceSettled(context, request, parse?.(queryOf(request)).start, done, done)
      },
      function limitReaders(request, reply, done) {
        const refusal = readers.refusal(request)
        if (refusal !== undefined) {
          reply.header('retry-after', retryAfter())
          throw refusal
        }
        done()
      },
    ],
  }
}

/** Selects the subprotocol `tidings` if it is offered, else none. */
export function handleProtocols(offered: Set<string>): string | false {
  return offered.has('tidings') ? 'tidings' : false
}
