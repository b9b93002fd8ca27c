type Listener = ((event: Event) => void) | { handleEvent(event: Event): void }

const EVENTS = ['open', 'message', 'gap', 'end', 'status', 'error', 'close']

/** An EventTarget with `on…` properties. An exception of a listener fires `error`. */
export abstract class Emitter extends EventTarget {
  /** The wrapper of each listener. */
  readonly #guards = new WeakMap<Listener, (event: Event) => void>()
  /** Whether a listener has handled the last event. */
  #taken = false

  constructor() {
    super()
    for (const type of EVENTS) {
      let handler: unknown = null
      const call = (event: Event) => (handler as ((event: Event) => void) | null)?.call(this, event)
      Object.defineProperty(this, `on${type}`, {
        configurable: true,
        enumerable: true,
        get: () => handler,
        set: (value) => {
          this.removeEventListener(type, call)
          handler = typeof value === 'function' ? value : null
          if (handler) this.addEventListener(type, call)
        },
      })
    }
  }

  /** Called after a listener was added. */
  protected abstract listens(type: string): void

  /** Called with the exception of a listener. */
  protected abstract threw(error: unknown): void

  override addEventListener(
    type: string,
    listener: Listener | null,
    options?: boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal },
  ) {
    if (!listener) return
    let guard = this.#guards.get(listener)
    if (!guard) {
      guard = (event) => {
        try {
          if (typeof listener === 'function') listener.call(this, event)
          else listener.handleEvent(event)
        } catch (error) {
          if (event.type === 'error') report(error)
          else this.threw(error)
        }
        // Set last: the listener may have fired other events.
        this.#taken = true
      }
      this.#guards.set(listener, guard)
    }
    super.addEventListener(type, guard, options)
    this.listens(type)
  }

  override removeEventListener(
    type: string,
    listener: Listener | null,
    options?: boolean | EventListenerOptions,
  ) {
    const guard = this.#guards.get(listener!)
    if (guard) super.removeEventListener(type, guard, options)
  }

  /** @returns whether a listener has handled the event */
  protected fire(type: string, members: object): boolean {
    this.#taken = false
    this.dispatchEvent(Object.assign(new Event(type), members))
    return this.#taken
  }
}

/** Reports an exception as the platform reports an uncaught one. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
