import { randomInt } from 'node:crypto'

/** Seconds for Retry-After, at random, so that refused clients do not come back together. */
export function retryAfter(): number {
  return randomInt(5, 16)
}

/** Adds Retry-After to a temporary error. */
export function withRetryAfter(error: Error & { statusCode?: number; headers?: object }): Error {
  return error.statusCode === 503
    ? Object.assign(error, { headers: { ...error.headers, 'retry-after': `${retryAfter()}` } })
    : error
}

/** The delay of a refused EventSource, in milliseconds. */
export function retryRefused(): number {
  return randomInt(5_000, 15_001)
}

/** Milliseconds after which an EventSource reconnects. */
export function retryCut(): number {
  return randomInt(1_000, 3_001)
}
