import type { Transport } from './requirements.ts'

/** Memory that a server keeps for its idle subscribers. */

/**
 * Bytes of heap and external memory of an idle subscriber, by `npm run bench:fanout` on Node 20. Polling is missing:
 * the server keeps no state for a client between its polls, and the keep-alive connection was not measured.
 */
export const IDLE: Readonly<Partial<Record<Transport, number>>> = { longpoll: 5443, sse: 5449, ws: 2945 }

/** Returns bytes for all subscribers. Null if not measured. */
export function memoryOf(way: Transport, subscribers: number): number | null {
  const each = IDLE[way]
  return each === undefined ? null : each * subscribers
}
