import { setTimeout as sleep } from 'node:timers/promises'
import { ERR_UNAVAILABLE } from '../errors.ts'

/** Timeout of a call, in milliseconds. */
export const SILENCE = 5_000

/** Maximum delay before a retry, in milliseconds. */
const LONGEST = 1_000

/** Calls of an engine. Each has a timeout, and all end with the bus. */
export class Calls {
  readonly #under = new Set<AbortController>()
  #closed = false

  /**
   * @param call called at once
   * @param controller aborts the call
   * @throws the error of the call, or a timeout
   */
  async make<T>(
    call: (signal: AbortSignal) => Promise<T>,
    { silence = SILENCE, controller = new AbortController() } = {},
  ): Promise<T> {
    if (this.#closed) throw new Error('closed')
    const { signal } = controller
    const timer = setTimeout(() => controller.abort(new Error(`no response within ${silence} ms`)), silence)
    this.#under.add(controller)
    try {
      return await new Promise<T>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        call(signal).then(resolve, reject)
      })
    } finally {
      clearTimeout(timer)
      this.#under.delete(controller)
    }
  }

  /**
   * Repeats an attempt until it succeeds.
   * @param attempt gets the milliseconds that are left
   * @throws TIDINGS_ERR_UNAVAILABLE after a timeout
   */
  async persist<T>(attempt: (left: number) => Promise<T>, patience = SILENCE): Promise<T> {
    const until = performance.now() + patience
    const backoff = new Backoff()
    for (;;) {
      try {
        return await attempt(Math.max(until - performance.now(), 1))
      } catch {
        if (performance.now() >= until || this.#closed) throw new ERR_UNAVAILABLE()
        await backoff.wait()
      }
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Aborts pending calls and refuses further ones. */
  close(): void {
    this.#closed = true
    for (const controller of this.#under) controller.abort(new Error('closed'))
  }
}

/** Waits before a retry: exponential back-off with jitter. */
export class Backoff {
  #failures = 0

  /** Resets the back-off after a success. */
  reset(): void {
    this.#failures = 0
  }

  async wait(): Promise<void> {
    const most = Math.min(LONGEST, 20 * 2 ** this.#failures++)
    await sleep(most * (0.5 + Math.random() / 2), undefined, { ref: false })
  }
}
