import type { Adapter } from '../adapters/adapter.ts'
import { foreignReader } from './foreign.ts'
import { pollReader } from './poll.ts'
import type { Common, Kind, Reader } from './reader.ts'
import { sseReader } from './sse.ts'
import { wsReader } from './ws.ts'

/**
 * Opens a reader.
 * @param adapter of a server that is not part of this package
 * @param phase the first polling time as a part of the interval
 */
export function readerOf(
  kind: Kind,
  adapter: Adapter | undefined,
  common: Common,
  reader: number,
  channel: string,
  phase: number,
): Reader {
  if (adapter !== undefined) return foreignReader(adapter, kind, common, reader, phase)
  if (kind === 'sse') return sseReader(common, reader, channel)
  if (kind === 'ws') return wsReader(common, reader, channel)
  return pollReader(kind, common, reader, channel, phase)
}
