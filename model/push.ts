/**
 * Server-Sent Events and WebSocket: a message is written to N readers, one after the other, each write taking s.
 *
 * **Message by message.** The server is an M/D/1 queue with service time Ns. A message waits ρNs / (2(1 − ρ)) on
 * average (Pollaczek and Khinchine, with no variance), ρ = λNs; a reader in the middle of the row is reached after
 * (N + 1)s / 2. The way to it takes d.
 *
 * **Turn by turn.** What arrives while the server writes is joined: when the row is done, one more row takes it all,
 * however many messages it is. A row takes D = Ns. After a row there is none waiting with probability e^(−λD), and
 * then the server idles for 1/λ on average: it is busy for the share
 *
 *     b = D / (D + e^(−λD) / λ)
 *
 * of the time, never more than all of it, and never behind by more than a row. A message that finds it busy waits
 * U(0, D) for the row's end (Poisson arrivals see time averages, and all rows take the same).
 *
 * Times are in seconds, rates a second.
 */
export interface Push {
  /** λ: messages a second. */
  readonly rate: number
  /** d: one way. */
  readonly oneWay: number
  /** N */
  readonly readers: number
  /** s: the server's time for a write. */
  readonly write: number
}

/** ρ: the share of the time that the server would write, message by message. From 1 on it falls behind. */
export function pushLoad({ rate, readers, write }: Push): number {
  return rate * readers * write
}

/** Delay from acceptance to delivery, on average, where each message is written by itself. */
export function pushDelay(push: Push): number {
  const { oneWay, readers, write } = push
  const load = pushLoad(push)
  if (load >= 1) return Number.POSITIVE_INFINITY
  return oneWay + ((readers + 1) * write) / 2 + (load * readers * write) / (2 * (1 - load))
}

/** b: the share of the time that the server writes, where all of a turn is joined in one write. */
export function joinedBusy({ rate, readers, write }: Push): number {
  const row = readers * write
  return row / (row + Math.exp(-rate * row) / rate)
}

/** Delay from acceptance to delivery, on average, where all of a turn is joined in one write. */
export function joinedDelay(push: Push): number {
  const { oneWay, readers, write } = push
  return oneWay + ((readers + 1) * write) / 2 + (joinedBusy(push) * readers * write) / 2
}

/**
 * Delay from the moment at which the server takes the message, which is later than its arrival where it finds the
 * server busy: a server of one thread takes nothing while it writes a row, so from then on nothing is waited for.
 */
export function takenDelay({ oneWay, readers, write }: Push): number {
  return oneWay + ((readers + 1) * write) / 2
}

/**
 * A quantile of the delay from arrival on: the place in the row is k s with k = 1 … N, each as likely, and the wait is 0 or U(0, D).
 * Their sum has no closed inverse; its distribution grows, so it is halved down to a part in 10^12.
 * @param q from 0 to 1
 */
export function joinedQuantile(push: Push, q: number): number {
  const { oneWay, readers, write } = push
  const row = readers * write
  const busy = joinedBusy(push)
  const below = (x: number) => {
    let sum = 0
    for (let k = 1; k <= readers; k++) {
      const left = x - k * write
      if (left >= 0) sum += 1 - busy + busy * Math.min(1, left / row)
    }
    return sum / readers
  }
  let low = 0
  let high = 2 * row
  while (high - low > row * 1e-12) {
    const middle = (low + high) / 2
    if (below(middle) >= q) high = middle
    else low = middle
  }
  return oneWay + high
}

/** Requests a message: a connection's one request, spread over its life. @param session seconds */
export function pushRequests(rate: number, session: number): number {
  return 1 / (rate * session)
}
