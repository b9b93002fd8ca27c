import { randomInt } from 'node:crypto'

/** Seconds after which a client that was refused may try again: at random, so that not all come back together. */
export function retryAfter(): number {
  return randomInt(5, 16)
}

/** An error that passes by itself says when to try again. */
export function withRetryAfter(error: Error & { statusCode?: number; headers?: object }): Error {
  return error.statusCode === 503
    ? Object.assign(error, { headers: { ...error.headers, 'retry-after': `${retryAfter()}` } })
    : error
}

/** The same for an EventSource, in milliseconds. */
export function retryRefused(): number {
  return randomInt(5_000, 15_001)
}

/** Milliseconds after which an EventSource whose stream was cut comes back. */
export function retryCut(): number {
  return randomInt(1_000, 3_001)
}
