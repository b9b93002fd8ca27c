import type { Adapter } from '../adapters/adapter.ts'
import { adapterReader } from './adapter-reader.ts'
import { pollReader } from './poll.ts'
import type { Reader, ReaderContext, Transport } from './reader.ts'
import { sseReader } from './sse.ts'
import { wsReader } from './ws.ts'

/**
 * Opens a reader.
 * @param adapter of a server that is not part of this package
 * @param phase the first polling time as a part of the interval
 */
export function readerOf(
  kind: Transport,
  adapter: Adapter | undefined,
  common: ReaderContext,
  reader: number,
  channel: string,
  phase: number,
): Reader {
  if (adapter !== undefined) return adapterReader(adapter, kind, common, reader, phase)
  if (kind === 'sse') return sseReader(common, reader, channel)
  if (kind === 'ws') return wsReader(common, reader, channel)
  return pollReader(kind, common, reader, channel, phase)
}
