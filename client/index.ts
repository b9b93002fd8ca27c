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
 * Reads a log that fastify-tidings serves. Uses the first transport in a list that works, and switches to another if it
 * fails. No message is lost or delivered twice.
 * @param url URL of the plugin's prefix; its query is sent with every request
 * @throws TypeError that names an unknown or invalid option
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
