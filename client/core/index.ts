import { CursorFeed } from '../feed.ts'
import type { LinkClass } from '../link-class.ts'
import { PollLink } from '../poll.ts'
import { settle } from '../settings.ts'
import { SocketLink } from '../socket.ts'
import { SseLink } from '../sse.ts'
import type { ConnectOptions, Feed, Transport } from '../types.ts'

export type * from '../types.ts'

/** A feed that only reads. The bundle does not contain the other functions. */
export type Reader<T = unknown> = Omit<Feed<T>, 'publish' | 'subscribe' | 'unsubscribe'>

/** The transports that a reader may use. A bundler leaves out those that are not imported. */
export type Transports = Partial<Record<Transport, LinkClass>>

export const ws: LinkClass = SocketLink
export const sse: LinkClass = SseLink
export const longpoll: LinkClass = PollLink
export const poll: LinkClass = PollLink

/**
 * Like `connect` of fastify-tidings/client, but only reads. Does not check its options.
 * @param url URL of the plugin's prefix; its query is sent with every request
 * @param transports in order of preference
 */
export function read<T = unknown>(
  url: string | URL,
  transports: Transports,
  options: Omit<ConnectOptions, 'EventSource' | 'transports'> = {},
): Reader<T> {
  return new CursorFeed(settle(url, options, transports)) as unknown as Reader<T>
}
