/** Web Locks for a Node that has none: exclusive ones, of this process, with `steal` and `signal`. */
class Locks {
  readonly #queues = new Map<string, Request[]>()

  request<T>(
    name: string,
    { steal = false, signal }: { steal?: boolean; signal?: AbortSignal },
    run: () => Promise<T>,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const queue = this.#queues.get(name) ?? []
      this.#queues.set(name, queue)
      const end = () => {
        const index = queue.indexOf(request)
        if (index === -1) return
        queue.splice(index, 1)
        if (index === 0) queue[0]?.start()
      }
      const request: Request = {
        reject,
        start: () => {
          signal?.removeEventListener('abort', abort)
          run().then(resolve, reject).finally(end)
        },
      }
      const abort = () => {
        reject(signal!.reason)
        end()
      }
      signal?.addEventListener('abort', abort)
      if (steal) {
        queue.shift()?.reject(new DOMException('The lock was stolen', 'AbortError'))
        queue.unshift(request)
      } else queue.push(request)
      if (queue[0] === request) queueMicrotask(request.start)
    })
  }
}

interface Request {
  start(): void
  reject(error: unknown): void
}

/** Puts them where there are none. */
export function installLocks(): void {
  const { navigator } = globalThis as { navigator?: { locks?: unknown } }
  if (navigator?.locks) return
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { locks: new Locks() } })
}
