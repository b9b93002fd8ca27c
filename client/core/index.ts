import { CursorFeed } from '../feed.ts'
import type { LinkClass } from '../link-class.ts'
import { PollLink } from '../poll.ts'
import { settle } from '../settings.ts'
import { SocketLink } from '../socket.ts'
import { SseLink } from '../sse.ts'
import type { ConnectOptions, Feed, Transport } from '../types.ts'

export type * from '../types.ts'

/** A feed that reads: what it can't do is left out of what a page loads. */
export type Reader<T = unknown> = Omit<Feed<T>, 'publish' | 'subscribe' | 'unsubscribe'>

/** The transports that a reader may use. Those that are not imported are left out of what a page loads. */
export type Transports = Partial<Record<Transport, LinkClass>>

export const ws: LinkClass = SocketLink
export const sse: LinkClass = SseLink
export const longpoll: LinkClass = PollLink
export const poll: LinkClass = PollLink

/**
 * As `connect` of fastify-tidings/client, and reads alone. Options are not checked.
 * @param url where the plugin stands; its query goes with every request
 * @param transports in the order in which they are liked
 */
export function read<T = unknown>(
  url: string | URL,
  transports: Transports,
  options: Omit<ConnectOptions, 'EventSource' | 'transports'> = {},
): Reader<T> {
  return new CursorFeed(settle(url, options, transports)) as unknown as Reader<T>
}
