/**
 * Polling: a reader asks every C seconds and is answered at once.
 *
 * A message is published at a time that has nothing to do with the polls, so it falls into a cycle as a point thrown
 * at the time line does. In cycles of one length C it waits U(0, C) for the next request; the answer then takes d to
 * come back. In cycles that vary, long ones are hit more often, in proportion to their length: the wait is the
 * residual life of renewal theory, with density (1 − F(x)) / E[C] and mean E[C²] / (2 E[C]).
 *
 * Messages arrive as a Poisson process with rate λ, so a cycle has none with probability E[e^(−λC)] and λ E[C] on
 * average: that many requests, bytes and empty answers come to one message.
 *
 * Times are in seconds, rates a second.
 */
export interface Polling {
  /** λ: messages a second to this reader. */
  readonly rate: number
  /** d: one way. */
  readonly oneWay: number
  /** Lengths of cycles, from one request to the next, as they came; one where they are all the same. */
  readonly cycles: readonly number[]
}

/** Delay from acceptance to delivery, on average. */
export function pollDelay({ oneWay, cycles }: Polling): number {
  return oneWay + mean(cycles.map((cycle) => cycle * cycle)) / (2 * mean(cycles))
}

/**
 * A quantile of the delay. The residual life has the distribution E[min(C, x)] / E[C], which is straight between the
 * lengths that occur: it is followed from length to length until q is reached.
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

/** The share of the answers that carry nothing. */
export function pollEmptyShare({ rate, cycles }: Polling): number {
  return mean(cycles.map((cycle) => Math.exp(-rate * cycle)))
}

/**
 * Requests a message. An answer carries `limit` messages at most and says `more`; the rest is asked for at once. A
 * cycle with n messages takes max(1, ⌈n / limit⌉) requests, and the mean of that is 1 + Σ P(n > k · limit), k ≥ 1.
 */
export function pollRequests({ rate, cycles }: Polling, limit = Number.POSITIVE_INFINITY): number {
  const requests = mean(cycles.map((cycle) => 1 + furtherPages(rate * cycle, limit)))
  return requests / (rate * mean(cycles))
}

function furtherPages(expected: number, limit: number): number {
  if (limit === Number.POSITIVE_INFINITY) return 0
  // Spread that wide, n stands anywhere in its last page alike: that is exact to a part in 10^8.
  if (expected > Math.max(50, limit * limit)) return expected / limit + (limit - 1) / (2 * limit) - 1
  // Far above the mean there is nothing left to add.
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

/** What one exchange weighs, up and down together or one of them, and what each message adds to an answer. */
export interface ExchangeBytes {
  /** An exchange that brought nothing. */
  readonly empty: number
  /** One that brought messages, without them. */
  readonly full: number
  /** Each message in it. */
  readonly message: number
}

/** Bytes a message: [e^(−λC) · B_empty + (1 − e^(−λC)) · B_full] / (λC), and the message itself. */
export function pollBytes(polling: Polling, bytes: ExchangeBytes): number {
  const empty = pollEmptyShare(polling)
  const exchange = empty * bytes.empty + (1 - empty) * bytes.full
  return exchange / (polling.rate * mean(polling.cycles)) + bytes.message
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
