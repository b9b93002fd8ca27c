import type { Test } from 'tap'
import { WebSocket } from 'undici'
import { type ConnectOptions, connect, type Feed, type FeedEvents } from '../../client/index.ts'

/** Node 20 has no WebSocket of its own. */
export const Socket = WebSocket as unknown as NonNullable<ConnectOptions['WebSocket']>

/** What the tests publish: counted up. */
export type Count = number

/** Quick in all that waits. */
export const QUICK = {
  WebSocket: Socket,
  backoff: { base: 20, cap: 100 },
  pollInterval: 20,
  probe: 2000,
} satisfies ConnectOptions

/** A feed that ends with the test. */
export function open<T = Count>(t: Test, url: string, options: ConnectOptions = {}): Feed<T> {
  const feed = connect<T>(url, { ...QUICK, ...options })
  t.teardown(() => feed.close())
  return feed
}

/** The next event of a type, of those that pass. */
export function once<T, K extends keyof FeedEvents<T>>(
  feed: Feed<T>,
  type: K,
  pass: (event: FeedEvents<T>[K]) => boolean = () => true,
): Promise<FeedEvents<T>[K]> {
  return new Promise((resolve) => {
    feed.addEventListener(type, function listen(event) {
      if (!pass(event)) return
      feed.removeEventListener(type, listen)
      resolve(event)
    })
  })
}

/** All that a feed has given from now on. */
export class Taken<T> {
  readonly feed: Feed<T>
  readonly data: T[] = []
  readonly cursors: string[] = []
  readonly gaps: string[] = []
  readonly statuses: string[] = []
  readonly errors: string[] = []
  #look = () => {}

  constructor(feed: Feed<T>) {
    this.feed = feed
    feed.addEventListener('message', ({ data, cursor }) => {
      this.data.push(data)
      this.cursors.push(cursor)
      this.#look()
    })
    feed.addEventListener('gap', ({ reason }) => this.gaps.push(reason))
    feed.addEventListener('status', ({ transport, readyState }) =>
      this.statuses.push(`${transport} ${readyState}`),
    )
    feed.addEventListener('error', ({ error }) => this.errors.push(error.message))
  }

  /** Resolves when so many messages are there. */
  async until(count: number): Promise<readonly T[]> {
    while (this.data.length < count) {
      await new Promise<void>((resolve) => {
        this.#look = resolve
      })
    }
    return this.data
  }
}

/** From one number to another, both included. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}
