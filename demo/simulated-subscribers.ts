import type { Transport } from 'fastify-tidings'
import { type ConnectOptions, connect, type Feed } from 'fastify-tidings/client'
import { WebSocket } from 'ws'

/** Additional subscribers in this process. They read over loopback, not over a lane. */
export class SimulatedSubscribers {
  readonly #url: string
  readonly #channel: string
  readonly #feeds: Record<Transport, Feed[]> = { poll: [], longpoll: [], sse: [], ws: [] }

  constructor(url: string, channel: string) {
    this.#url = url
    this.#channel = channel
  }

  get size(): number {
    return Object.values(this.#feeds).reduce((sum, feeds) => sum + feeds.length, 0)
  }

  of(transport: Transport): number {
    return this.#feeds[transport].length
  }

  set(transport: Transport, count: number): void {
    const feeds = this.#feeds[transport]
    for (const feed of feeds.splice(count)) feed.close()
    while (feeds.length < count) {
      feeds.push(
        connect(this.#url, {
          channels: [this.#channel],
          transports: [transport],
          pollInterval: 2000,
          // The WebSocket of ws has all that the client uses.
          WebSocket: WebSocket as unknown as NonNullable<ConnectOptions['WebSocket']>,
        }),
      )
    }
  }

  close(): void {
    for (const feeds of Object.values(this.#feeds)) for (const feed of feeds.splice(0)) feed.close()
  }
}
