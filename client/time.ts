/** Timers with a longer delay fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1
/** Upper limit of the wait that a server requests: 5 minutes. */
const LONGEST_WAIT = 300_000

export type Timer = ReturnType<typeof setTimeout> | undefined

/** Sets a timer. The client has no others. @param ms a value too large for a timer is clamped */
export function later(then: () => void, ms: number): Timer {
  return setTimeout(then, Math.min(ms, LONGEST_TIMER))
}

/** Bounds of the back-off, in milliseconds. */
export interface Backoff {
  readonly base: number
  readonly cap: number
}

/** Full jitter: a random delay from 0 to a bound that doubles. Clients that disconnect together reconnect apart. */
export function jitter({ base, cap }: Backoff, attempt: number): number {
  return Math.random() * Math.min(cap, base * 2 ** attempt)
}

/** Ends early when one of the signals aborts. */
export function sleep(ms: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      for (const signal of signals) signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = later(end, ms)
    for (const signal of signals) signal?.addEventListener('abort', end)
  })
}

/**
 * The wait that a server requests, in milliseconds, at most 5 minutes; undefined if it is absent or unreadable.
 * @param text seconds, or a date
 * @see RFC 9110 section 10.2.3
 */
export function waitOf(text: string | null, unit = 1000): number | undefined {
  const ms = /^\d+$/.test(text!)
    ? Number(text) * unit
    : unit > 1
      ? Date.parse(text!) - Date.now()
      : Number.NaN
  return Number.isNaN(ms) ? undefined : Math.max(0, Math.min(ms, LONGEST_WAIT))
}
