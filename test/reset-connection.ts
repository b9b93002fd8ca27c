import type { Socket } from 'node:net'

/**
 * Ends a connection with a reset, or without one where its end is already under way: there `resetAndDestroy()` leaves
 * a handle that is never closed, and Node (20 to 24) turns in circles for it when the process exits.
 */
export function resetConnection(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
