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
 * **One process that reads for all**, as a load generator does. From the row's first write it takes w to wake up, which
 * is a part of d: only the first reader waits for all of that. The others are read one in r, as they stand in the row,
 * and none before it has been written. So the k-th has the message, after the row began, at
 *
 *     d − w + max(max(w, r) + s + (k − 1)r, ks + r)
 *
 * Readers of their own wake each for itself: d + ks.
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
  /** Where one process reads for all: w, and r. */
  readonly shared?: { readonly wake: number; readonly read: number }
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

/** When each reader of a row has the message, from the row's beginning. */
function reached({ oneWay, readers, write, shared }: Push): number[] {
  return Array.from({ length: readers }, (_, before) => {
    const written = (before + 1) * write
    if (shared === undefined) return oneWay + written
    const { wake, read } = shared
    return oneWay - wake + Math.max(Math.max(wake, read) + write + before * read, written + read)
  })
}

/**
 * Delay from the moment at which the server takes the message, which is later than its arrival where it finds the
 * server busy: a server of one thread takes nothing while it writes a row, so from then on nothing is waited for.
 */
export function takenDelay(push: Push): number {
  return reached(push).reduce((sum, at) => sum + at, 0) / push.readers
}

/**
 * A quantile of the delay from arrival on: the place in the row is each as likely, and the wait is 0 or U(0, D). Their
 * sum has no closed inverse; its distribution grows, so it is halved down to a part in 10^12.
 * @param q from 0 to 1
 */
export function joinedQuantile(push: Push, q: number): number {
  const row = push.readers * push.write
  const busy = joinedBusy(push)
  const places = reached(push)
  const below = (x: number) => {
    let sum = 0
    for (const place of places) if (x >= place) sum += 1 - busy + busy * Math.min(1, (x - place) / row)
    return sum / places.length
  }
  let low = 0
  let high = places.at(-1)! + row
  const fine = high * 1e-12
  while (high - low > fine) {
    const middle = (low + high) / 2
    if (below(middle) >= q) high = middle
    else low = middle
  }
  return high
}

/** Requests a message: a connection's one request, spread over its life. @param session seconds */
export function pushRequests(rate: number, session: number): number {
  return 1 / (rate * session)
}
