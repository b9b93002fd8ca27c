/** The end of a permission: the deadline or the signal, whichever comes first. */
export interface Permit {
  /** Milliseconds since 1970. */
  readonly until?: number | undefined
  readonly signal?: AbortSignal | undefined
}

interface Shared {
  readonly calls: Set<() => void>
  /** Removes the listener or the timer. */
  readonly stop: () => void
}

/** Maximum delay of a timer, in milliseconds. A longer one fires at once. */
const LONGEST = 0x7fff_ffff

/**
 * Calls back when permissions expire. Each signal has one listener and each deadline one timer, however many share it.
 */
export class Revocations {
  readonly #shared = new Map<AbortSignal | number, Shared>()

  /** @returns a function that cancels it, which may be called more than once */
  add({ until, signal }: Permit, call: () => void): () => void {
    const ends: (() => void)[] = []
    if (signal !== undefined) ends.push(this.#join(signal, call, onAbort))
    if (until !== undefined) ends.push(this.#join(until, call, onDeadline))
    return () => {
      for (const end of ends) end()
    }
  }

  #join<T extends AbortSignal | number>(
    key: T,
    call: () => void,
    watch: (key: T, ended: () => void) => () => void,
  ): () => void {
    let shared = this.#shared.get(key)
    if (shared === undefined) {
      const calls = new Set<() => void>()
      const stop = watch(key, () => {
        for (const each of calls) each()
      })
      shared = { calls, stop }
      this.#shared.set(key, shared)
    }
    const { calls, stop } = shared
    calls.add(call)
    return () => {
      if (!calls.delete(call) || calls.size > 0) return
      this.#shared.delete(key)
      stop()
    }
  }
}

function onAbort(signal: AbortSignal, ended: () => void): () => void {
  signal.addEventListener('abort', ended)
  // A user's hook may run between the verdict and the reader. Not synchronously: the reader is being constructed.
  if (signal.aborted) queueMicrotask(ended)
  return () => signal.removeEventListener('abort', ended)
}

/** The remaining time at the verdict counts: setting the clock does not move the deadline. */
function onDeadline(until: number, ended: () => void): () => void {
  const end = performance.now() + until - Date.now()
  let timer: NodeJS.Timeout
  const wait = () => {
    const left = end - performance.now()
    timer = setTimeout(left > LONGEST ? wait : ended, Math.min(left, LONGEST)).unref()
  }
  wait()
  return () => clearTimeout(timer)
}
