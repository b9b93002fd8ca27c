/**
 * Long polling: the server holds a request until a message arrives or W seconds have passed. The reader sends the next
 * request after each response.
 *
 * The gap of g seconds runs from a response until the next request arrives: one round trip plus the reader's own time.
 * A cycle runs from response to response. A message that arrives in the gap waits for the next request, so the cycle
 * ends with the gap. Without such a message, with probability e^(−λg), the request is held for E[min(Exp(λ), W)] = (1 −
 * e^(−λW)) / λ on average. The response leaves j after the arrival of that message; the messages that arrive meanwhile
 * join it. So the mean cycle is
 *
 * Z = g + e^(−λg) (1 − e^(−λW)) (1 / λ + j).
 *
 * A message falls into the gap with probability g / Z (Poisson arrivals see time averages), at a uniform position, and
 * waits for its end. Otherwise the server sends it at once. The wait has the mean (g / 2) (g / Z), never exceeds g, and
 * exceeds x with probability (g − x) / Z. So its quantile is max(0, g − (1 − q) Z). The one-way delay d comes on top.
 *
 * A response is empty if neither the gap nor the hold has a message: e^(−λ(g + W)).
 *
 * All N readers of a channel return together after each message. The server responds to reader k after ks, and takes s_r
 * for each request, in order, but none before it has responded to all. So g grows by the mean time that a request waits.
 * A held reader waits for its position in the row, U(0, Ns). The formulas hold while the server is rarely busy with two
 * messages: ρ = λN(s_r + s) ≤ 0.1. Above that load, `simulateLongPoll` replaces them.
 *
 * Times are in seconds, rates per second.
 */
export interface LongPolling {
  /** λ: messages per second to this reader. */
  readonly rate: number
  /** d: one-way delay. */
  readonly oneWay: number
  /** g: from a response until the next request arrives, for a single reader. */
  readonly gap: number
  /** W: maximum time that a request is held. */
  readonly wait: number
  /** N: readers of the same channel. @default 1 */
  readonly readers?: number
  /** s_r: server time per request. @default 0 */
  readonly request?: number
  /** s: server time per response. @default 0 */
  readonly write?: number
  /** j: from the arrival of a message until its first response. @default 0 */
  readonly join?: number
}

/** ρ: the server's utilisation by these readers. */
export function longPollUtilization({ rate, readers = 1, request = 0, write = 0 }: LongPolling): number {
  return rate * readers * (request + write)
}

/** Maximum load of the formulas. */
export const MAX_UTILIZATION = 0.1

/** g, including the requests of the other readers. */
export function longPollGap({ gap, readers = 1, request = 0, write = 0 }: LongPolling): number {
  if (readers === 1) return gap
  let sum = 0
  let free = readers * write
  for (let reader = 1; reader <= readers; reader++) {
    free = Math.max(free, reader * write + gap) + request
    sum += free - reader * write
  }
  return sum / readers
}

/** Z: the mean time from response to response. */
export function longPollCycle(polling: LongPolling): number {
  const { rate, wait, join = 0 } = polling
  const gap = longPollGap(polling)
  return gap + Math.exp(-rate * gap) * -Math.expm1(-rate * wait) * (1 / rate + join)
}

/** The server answers N readers one after the other. Returns the time until the last response. */
function row({ readers = 1, write = 0 }: LongPolling): number {
  return readers === 1 ? 0 : readers * write
}

/** Returns the mean delay from acceptance to delivery. */
export function longPollDelay(polling: LongPolling): number {
  const gap = longPollGap(polling)
  const inGap = gap / longPollCycle(polling)
  return polling.oneWay + (inGap * gap) / 2 + ((1 - inGap) * row(polling)) / 2
}

/**
 * Returns a quantile of the delay: U(0, g) with probability g / Z, otherwise the position in the row, U(0, Ns).
 * @param q from 0 to 1
 */
export function longPollQuantile(polling: LongPolling, q: number): number {
  const gap = longPollGap(polling)
  const cycle = longPollCycle(polling)
  const inGap = gap / cycle
  const last = row(polling)
  const atLast = 1 - inGap + last / cycle
  if (q > atLast || last === 0) return polling.oneWay + Math.max(0, gap - (1 - q) * cycle)
  return polling.oneWay + q / ((1 - inGap) / last + 1 / cycle)
}

/** Returns requests per message: 1 / (λZ). */
export function longPollRequests(polling: LongPolling): number {
  return 1 / (polling.rate * longPollCycle(polling))
}

export function longPollEmptyShare(polling: LongPolling): number {
  return Math.exp(-polling.rate * (longPollGap(polling) + polling.wait))
}

/** Returns bytes per message. Exchanges have the same sizes as in polling. */
export function longPollBytes(
  polling: LongPolling,
  bytes: { readonly empty: number; readonly full: number; readonly message: number },
): number {
  const empty = longPollEmptyShare(polling)
  return longPollRequests(polling) * (empty * bytes.empty + (1 - empty) * bytes.full) + bytes.message
}
