interface Shared {
  readonly calls: Set<() => void>
  readonly onAbort: () => void
}

/** Who is told when a permission runs out: one listener a signal, however many readers share it. */
export class Permits {
  readonly #shared = new Map<AbortSignal, Shared>()

  /** @returns what ends it; ending twice is harmless */
  add(permit: AbortSignal, call: () => void): () => void {
    let shared = this.#shared.get(permit)
    if (shared === undefined) {
      const calls = new Set<() => void>()
      const onAbort = () => {
        for (const each of calls) each()
      }
      shared = { calls, onAbort }
      this.#shared.set(permit, shared)
      permit.addEventListener('abort', onAbort)
    }
    const { calls, onAbort } = shared
    calls.add(call)
    // A hook of the user's may stand between the question and the reader. Not at once: the reader is being made.
    if (permit.aborted) queueMicrotask(onAbort)
    return () => {
      if (!calls.delete(call) || calls.size > 0) return
      this.#shared.delete(permit)
      permit.removeEventListener('abort', onAbort)
    }
  }
}
