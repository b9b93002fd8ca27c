import type { AdapterRequest } from './adapters/adapter.ts'
import type { Endpoint } from './readers/reader.ts'

/** Returns the request that publishes to a channel of this plugin. */
export function publishRequest({ path }: Endpoint, channel: string, body: string): AdapterRequest {
  return { path: `${path}/publish?channel=${channel}`, headers: { 'Content-Type': 'text/plain' }, body }
}
