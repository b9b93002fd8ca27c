/**
 * Long polling: a request is held until a message comes or W seconds have passed; its answer sends the reader back.
 *
 * From an answer until the next request is there pass g seconds (a round trip and the reader's own time). A cycle
 * goes from answer to answer. A message in the gap g is answered when the request comes, so the cycle ends with the
 * gap; with none there (probability e^(−λg)) the request is held, on average for E[min(Exp(λ), W)] =
 * (1 − e^(−λW)) / λ. So a cycle takes
 *
 *     Z = g + e^(−λg) (1 − e^(−λW)) / λ.
 *
 * A message (Poisson arrivals see time averages) falls into the gap with probability g / Z, uniformly, and waits for
 * its end; else it goes out at once. The wait has the mean (g / 2) (g / Z), is never above g, and exceeds x with
 * probability (g − x) / Z: its quantile is max(0, g − (1 − q) Z). The way to the reader takes d more.
 *
 * An answer is empty where neither gap nor hold has a message: e^(−λ(g + W)).
 *
 * Readers of one channel come back together, after each message: the last of N waits for N requests and N answers,
 * so g grows by N (s_r + s), and a held reader is reached in its place of the row, U(0, Ns). That holds while the server is seldom busy with two messages, ρ = λN(s_r + s) ≤ 0.1;
 * above that `simulateLongPoll` stands for the formula.
 *
 * Times are in seconds, rates a second.
 */
export interface LongPolling {
  /** λ: messages a second to this reader. */
  readonly rate: number
  /** d: one way. */
  readonly oneWay: number
  /** g: from an answer's leaving until the next request is there, for a reader alone. */
  readonly gap: number
  /** W: how long a request is held. */
  readonly wait: number
  /** N: readers of the same channel. @default 1 */
  readonly readers?: number
  /** s_r: the server's time for a request. @default 0 */
  readonly request?: number
  /** s: the server's time for an answer. @default 0 */
  readonly write?: number
}

/** ρ: the share of the time that the server works for these readers. */
export function longPollLoad({ rate, readers = 1, request = 0, write = 0 }: LongPolling): number {
  return rate * readers * (request + write)
}

/** Above this load the formulas are not to be used. */
export const LONG_POLL_LOAD = 0.1

/** g with the other readers' requests in it. */
export function longPollGap({ gap, readers = 1, request = 0, write = 0 }: LongPolling): number {
  return readers === 1 ? gap : gap + readers * (request + write)
}

/** Z: from answer to answer. */
export function longPollCycle(polling: LongPolling): number {
  const { rate, wait } = polling
  const gap = longPollGap(polling)
  return gap + (Math.exp(-rate * gap) * -Math.expm1(-rate * wait)) / rate
}

/** The answers to N readers go out one after the other: the last of the row leaves after this time. */
function row({ readers = 1, write = 0 }: LongPolling): number {
  return readers === 1 ? 0 : readers * write
}

/** Delay from acceptance to delivery, on average. */
export function longPollDelay(polling: LongPolling): number {
  const gap = longPollGap(polling)
  const inGap = gap / longPollCycle(polling)
  return polling.oneWay + (inGap * gap) / 2 + ((1 - inGap) * row(polling)) / 2
}

/**
 * A quantile of the delay: U(0, g) with probability g / Z, else a place in the row, U(0, Ns).
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

/** Requests a message: 1 / (λZ). */
export function longPollRequests(polling: LongPolling): number {
  return 1 / (polling.rate * longPollCycle(polling))
}

export function longPollEmptyShare(polling: LongPolling): number {
  return Math.exp(-polling.rate * (longPollGap(polling) + polling.wait))
}

/** Bytes a message; what an exchange weighs is as in polling. */
export function longPollBytes(
  polling: LongPolling,
  bytes: { readonly empty: number; readonly full: number; readonly message: number },
): number {
  const empty = longPollEmptyShare(polling)
  return longPollRequests(polling) * (empty * bytes.empty + (1 - empty) * bytes.full) + bytes.message
}
