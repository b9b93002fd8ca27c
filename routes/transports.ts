import type { FastifyInstance } from 'fastify'
import type { Context } from './http/context.ts'
import { longpoll } from './longpoll/route.ts'
import { poll } from './poll/route.ts'
import { sse } from './sse/route.ts'
import { ws } from './ws/route.ts'
import type { SocketMaker } from './ws/socket-maker.ts'

/** Adds the route of a transport to a scope. */
type Add = (scope: FastifyInstance, context: Context, sockets: SocketMaker) => void

/**
 * All transports. A new transport is one line here and a folder beside this file. Options, stats and tests derive from
 * this list. `sockets`: the transport takes over the connection; its route belongs to the scope of the WebSocket
 * server.
 */
const registry = {
  poll: { add: poll },
  longpoll: { add: longpoll },
  sse: { add: sse },
  ws: { add: ws, sockets: true },
} satisfies Record<string, { add: Add; sockets?: true }>

/** Keeps the types of the routes out of the package's declarations. */
function namesOf<K extends string>(entries: Record<K, unknown>): readonly K[] {
  return Object.keys(entries) as K[]
}

/** The names of all transports. */
export const TRANSPORTS = namesOf(registry)

export type Transport = (typeof TRANSPORTS)[number]

/**
 * @internal Adds the routes of the enabled transports.
 * @param sockets creates the handlers of transports that take over the connection
 */
export function addTransports(scope: FastifyInstance, context: Context, sockets?: SocketMaker): void {
  for (const [name, { add, ...kind }] of Object.entries<{ add: Add; sockets?: true }>(registry)) {
    if (!context.settings.transports.has(name) || (kind.sockets ?? false) !== (sockets !== undefined))
      continue
    add(scope, context, sockets as SocketMaker)
  }
}
