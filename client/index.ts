import type { TidingsChannels } from '../types/channels.ts'
import { FrameSocket } from './frame-socket.ts'
import { FullFeed } from './full-feed.ts'
import type { FeedSettings } from './link-class.ts'
import { check } from './option-checks.ts'
import { PollLink } from './poll.ts'
import { settle } from './settings.ts'
import { SourceLink } from './source.ts'
import { SseLink } from './sse.ts'
import type { ConnectOptions, Feed } from './types.ts'

export type * from '../types/channels.ts'
export type * from './types.ts'

/**
 * Reads a log that fastify-tidings serves, over the first transport of a list that carries, and goes on over another
 * where one fails: nothing is lost, nothing comes twice.
 * @param url where the plugin stands; its query goes with every request
 * @throws TypeError that names an option that is unknown or has no valid value
 */
export function connect<C extends keyof TidingsChannels>(
  url: string | URL,
  options: ConnectOptions & { readonly channels: readonly C[] },
): Feed<TidingsChannels[C]>
export function connect<T = unknown>(url: string | URL, options?: ConnectOptions): Feed<T>
export function connect<T>(url: string | URL, options: ConnectOptions = {}): Feed<T> {
  return new FullFeed(checked(url, options)) as unknown as Feed<T>
}

/** @internal */
export function checked(url: string | URL, options: ConnectOptions): FeedSettings {
  check(options)
  const sse = options.EventSource ? SourceLink : SseLink
  return settle(url, options, { ws: FrameSocket, sse, longpoll: PollLink, poll: PollLink })
}
