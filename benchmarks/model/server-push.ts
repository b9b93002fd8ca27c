/**
 * Server-Sent Events and WebSocket: the server writes a message to N readers one after the other. Each write takes s.
 *
 * **Message by message.** The server is an M/D/1 queue with service time Ns and ρ = λNs. A message waits ρNs / (2(1 −
 * ρ)) on average (Pollaczek–Khinchine formula without variance). The server reaches the average reader after (N + 1)s /
 * 2. The one-way delay is d.
 *
 * **Turn by turn.** The server joins all messages that arrive during a row of writes, and writes them in one more row.
 * A row takes D = Ns. No message waits after a row with probability e^(−λD); the server then idles for 1/λ on average.
 * So it is busy for the share of time
 *
 * b = D / (D + e^(−λD) / λ),
 *
 * which never exceeds 1, and the server never falls behind by more than one row. A message that finds the server busy
 * waits U(0, D) for the end of the row (Poisson arrivals see time averages, and all rows have equal length).
 *
 * **One process that reads for all**, like a load generator. It takes w to wake up after the first write of a row,
 * which is part of d. Only the first reader waits for all of that. The process reads the others in order, one every r,
 * and none before its write. So reader k has the message, after the start of the row, at
 *
 * d − w + max(max(w, r) + s + (k − 1)r, ks + r).
 *
 * Readers in separate processes each wake up: d + ks.
 *
 * Times are in seconds, rates per second.
 */
export interface ServerPush {
  /** λ: messages per second. */
  readonly rate: number
  /** d: one-way delay. */
  readonly oneWay: number
  /** N: readers. */
  readonly readers: number
  /** s: server time per write. */
  readonly write: number
  /** w and r, if one process reads for all. */
  readonly shared?: { readonly wake: number; readonly read: number }
}

/** ρ: the server's utilisation if it writes message by message. From 1, it falls behind. */
export function pushUtilization({ rate, readers, write }: ServerPush): number {
  return rate * readers * write
}

/** Returns the mean delay from acceptance to delivery if each message is written separately. */
export function pushDelay(push: ServerPush): number {
  const { oneWay, readers, write } = push
  const load = pushUtilization(push)
  if (load >= 1) return Number.POSITIVE_INFINITY
  return oneWay + ((readers + 1) * write) / 2 + (load * readers * write) / (2 * (1 - load))
}

/** b: the share of time in which the server writes, if it joins all messages of a turn. */
export function batchedUtilization({ rate, readers, write }: ServerPush): number {
  const row = readers * write
  return row / (row + Math.exp(-rate * row) / rate)
}

/** Returns the mean delay from acceptance to delivery if the server joins all messages of a turn. */
export function batchedDelay(push: ServerPush): number {
  const { oneWay, readers, write } = push
  return oneWay + ((readers + 1) * write) / 2 + (batchedUtilization(push) * readers * write) / 2
}

/** Returns the time at which each reader of a row has the message, from the start of the row. */
function reached({ oneWay, readers, write, shared }: ServerPush): number[] {
  return Array.from({ length: readers }, (_, before) => {
    const written = (before + 1) * write
    if (shared === undefined) return oneWay + written
    const { wake, read } = shared
    return oneWay - wake + Math.max(Math.max(wake, read) + write + before * read, written + read)
  })
}

/**
 * Returns the mean delay from the moment the server accepts the message. A busy server accepts it only after the
 * current row, so no queueing follows.
 */
export function delayFromAcceptance(push: ServerPush): number {
  return reached(push).reduce((sum, at) => sum + at, 0) / push.readers
}

/**
 * Returns a quantile of the delay since arrival. The position in the row is uniform, and the wait is 0 or U(0, D). The
 * distribution of their sum has no closed inverse, but it increases, so bisection finds the quantile to one part in
 * 10^12.
 * @param q from 0 to 1
 */
export function batchedQuantile(push: ServerPush, q: number): number {
  const row = push.readers * push.write
  const busy = batchedUtilization(push)
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

/** Returns requests per message: one request per connection, spread over its life. @param session seconds */
export function pushRequests(rate: number, session: number): number {
  return 1 / (rate * session)
}
