import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds after which an answer that is due is not waited for any more. */
export const SILENCE = 5_000

/** The longest wait before another try, in milliseconds. */
const LONGEST = 1_000

/** Calls of an engine: each ends in time, and all end with the bus. */
export class Calls {
  readonly #under = new Set<AbortController>()
  #closed = false

  /**
   * @param call made at once
   * @param controller ends it before its time
   * @throws what it throws, or that it was not answered in time
   */
  async make<T>(
    call: (signal: AbortSignal) => Promise<T>,
    { silence = SILENCE, controller = new AbortController() } = {},
  ): Promise<T> {
    if (this.#closed) throw new Error('closed')
    const { signal } = controller
    const timer = setTimeout(() => controller.abort(new Error(`no answer within ${silence} ms`)), silence)
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

  get closed(): boolean {
    return this.#closed
  }

  /** Ends those that are under way, and makes no more. */
  close(): void {
    this.#closed = true
    for (const controller of this.#under) controller.abort(new Error('closed'))
  }
}

/** Waits before the next try: longer each time, and never for as long as others. */
export class Backoff {
  #failures = 0

  /** The last try has succeeded. */
  reset(): void {
    this.#failures = 0
  }

  async wait(): Promise<void> {
    const most = Math.min(LONGEST, 20 * 2 ** this.#failures++)
    await sleep(most * (0.5 + Math.random() / 2), undefined, { ref: false })
  }
}
