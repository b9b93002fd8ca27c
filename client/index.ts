import { CursorFeed } from './feed.ts'
import { settle } from './settings.ts'
import type { ConnectOptions, Feed } from './types.ts'

export type * from './types.ts'

/**
 * Reads a log that fastify-tidings serves, over the first transport of a list that carries, and goes on over another
 * where one fails: nothing is lost, nothing comes twice.
 * @param url where the plugin stands; its query goes with every request
 */
export function connect<T = unknown>(url: string | URL, options: ConnectOptions = {}): Feed<T> {
  return new CursorFeed(settle(url, options)) as unknown as Feed<T>
}
