/** How long somebody is permitted to read: as long as both say. */
export interface Permit {
  /** Milliseconds since 1970. */
  readonly until?: number | undefined
  readonly signal?: AbortSignal | undefined
}

interface Shared {
  readonly calls: Set<() => void>
  /** Lets go of the signal, or of the timer. */
  readonly stop: () => void
}

/** The longest that a timer waits: a longer one would fire at once. */
const LONGEST = 0x7fff_ffff

/** Who is told when a permission runs out: one listener a signal, one timer a deadline, however many share it. */
export class Revocations {
  readonly #shared = new Map<AbortSignal | number, Shared>()

  /** @returns what ends it; ending twice is harmless */
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
  // A hook of the user's may stand between the question and the reader. Not at once: the reader is being made.
  if (signal.aborted) queueMicrotask(ended)
  return () => signal.removeEventListener('abort', ended)
}

/** What was left when it was given counts: a clock that is set does not move the end. */
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
