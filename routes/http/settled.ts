import type { FastifyRequest } from 'fastify'
import type { Start } from '../../bus/cursor.ts'
import type { Context } from './context.ts'
import { withRetryAfter } from './retry.ts'

/**
 * Calls `go` once the log can decide whether a reader that starts there has a gap. If it can decide at once, `go` runs
 * in the same turn of the event loop, without an allocation.
 * @param refuse called with the error if the log cannot decide, or if `go` throws in a later turn
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
