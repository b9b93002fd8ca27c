let skew = 0

/** Returns the time in microseconds on the monotonic clock, which all processes on a host share. */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e6 + nanoseconds / 1e3 - skew
}

/** Injects clock skew in tests. @param microseconds how far this process's clock lags behind */
export function skewClock(microseconds: number): void {
  skew = microseconds
}

/** Waits until a time in microseconds. A timer may fire up to two milliseconds early or late. */
export function until(at: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, (at - now()) / 1000)))
}
