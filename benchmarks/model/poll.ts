/**
 * Polling: a reader sends a request every C seconds, and the server answers at once.
 *
 * Publish times are independent of the polls. With cycles of one length C, a message waits U(0, C) for the next
 * request; the response then takes d. With varying cycles, a message falls into a cycle with a probability proportional
 * to its length. The wait is the residual life of renewal theory, with density (1 − F(x)) / E[C] and mean E[C²] / (2
 * E[C]).
 *
 * Messages arrive as a Poisson process with rate λ. A cycle has no message with probability E[e^(−λC)], and λ E[C]
 * messages on average. These give requests, bytes and empty responses per message.
 *
 * Times are in seconds, rates per second.
 */
export interface Polling {
  /** λ: messages per second to this reader. */
  readonly rate: number
  /** d: one-way delay. */
  readonly oneWay: number
  /** Observed cycle lengths, from request to request. One value if all are equal. */
  readonly cycles: readonly number[]
}

/** Returns the mean delay from acceptance to delivery. */
export function pollDelay({ oneWay, cycles }: Polling): number {
  return oneWay + mean(cycles.map((cycle) => cycle * cycle)) / (2 * mean(cycles))
}

/**
 * Returns a quantile of the delay. The distribution E[min(C, x)] / E[C] of the residual life is linear between the
 * cycle lengths. The loop follows it from length to length until it reaches q.
 * @param q from 0 to 1
 */
export function pollQuantile({ oneWay, cycles }: Polling, q: number): number {
  const sorted = [...cycles].sort((a, b) => a - b)
  let wanted = q * mean(cycles) * sorted.length
  let at = 0
  for (const [index, cycle] of sorted.entries()) {
    const longer = sorted.length - index
    const step = (cycle - at) * longer
    if (step >= wanted) return oneWay + at + wanted / longer
    wanted -= step
    at = cycle
  }
  return oneWay + at
}

/** Returns the share of responses without messages. */
export function pollEmptyShare({ rate, cycles }: Polling): number {
  return mean(cycles.map((cycle) => Math.exp(-rate * cycle)))
}

/**
 * Returns requests per message. A response carries at most `limit` messages and sets `more`; the reader requests the
 * rest at once. A cycle with n messages takes max(1, ⌈n / limit⌉) requests. The mean is 1 + Σ P(n > k · limit), k ≥ 1.
 */
export function pollRequests({ rate, cycles }: Polling, limit = Number.POSITIVE_INFINITY): number {
  const requests = mean(cycles.map((cycle) => 1 + furtherPages(rate * cycle, limit)))
  return requests / (rate * mean(cycles))
}

function furtherPages(expected: number, limit: number): number {
  if (limit === Number.POSITIVE_INFINITY) return 0
  // With a spread this wide, n is uniform within its last page, to one part in 10^8.
  if (expected > Math.max(50, limit * limit)) return expected / limit + (limit - 1) / (2 * limit) - 1
  // The terms far above the mean are negligible.
  const last = expected + 12 * Math.sqrt(expected) + 12
  let below = 0
  let pages = 0
  let log = -expected
  for (let n = 0; n <= last; n++) {
    below += Math.exp(log)
    if (n > 0 && n % limit === 0) pages += Math.max(0, 1 - below)
    log += Math.log(expected / (n + 1))
  }
  return pages
}

/** Sizes of an exchange, in one direction or both, and of a message within it. */
export interface ExchangeBytes {
  /** An exchange without messages. */
  readonly empty: number
  /** An exchange with messages, excluding them. */
  readonly full: number
  /** One message in an exchange. */
  readonly message: number
}

/** Maximum messages per response by default. */
export const RESPONSE_LIMIT = 100

/**
 * Returns bytes per message. Of the requests per message, e^(−λC) / (λC) have an empty response of B_empty, and the
 * others one of B_full. The message itself comes on top.
 */
export function pollBytes(polling: Polling, bytes: ExchangeBytes, limit = RESPONSE_LIMIT): number {
  const empty = pollEmptyShare(polling) / (polling.rate * mean(polling.cycles))
  const full = pollRequests(polling, limit) - empty
  return empty * bytes.empty + full * bytes.full + bytes.message
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
