import type { FastifyRequest } from 'fastify'
import type { Start } from '../../bus/cursor.ts'
import type { Context } from './context.ts'
import { withRetryAfter } from './retry.ts'

/**
 * Goes on once the log can tell whether a reader who starts there has a gap: at once where it can already, in the same
 * turn of the event loop and with nothing allocated.
 * @param refuse told why it can't, and what `go` throws later than in this turn
 */
export function onceSettled(
  { bus, guard }: Pick<Context, 'bus' | 'guard'>,
  request: FastifyRequest,
  start: Start | undefined,
  go: () => void,
  refuse: (error: Error) => void,
): void {
  const waits = start === undefined ? undefined : bus.settle?.(start)
  if (waits === undefined) {
    go()
    return
  }
  guard
    .wait(waits, request)
    .catch((error) => {
      throw withRetryAfter(error)
    })
    .then(go)
    .catch(refuse)
}
