let slow = 0

/** Microseconds on the monotonic clock, which all processes of one host share. */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e6 + nanoseconds / 1e3 - slow
}

/** For tests: puts this process's clock back. @param microseconds behind all others */
export function putBack(microseconds: number): void {
  slow = microseconds
}

/** Waits until that time, roughly: a timer may be up to two milliseconds early, or late. */
export function until(at: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, (at - now()) / 1000)))
}
