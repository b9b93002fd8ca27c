import type { Exchange } from './adapters/adapter.ts'
import type { Target } from './readers/reader.ts'

/** Returns the request that publishes to a channel of this plugin. */
export function publishRequest({ path }: Target, channel: string, body: string): Exchange {
  return { path: `${path}/publish?channel=${channel}`, headers: { 'Content-Type': 'text/plain' }, body }
}
