import { connect } from '../index.ts'
import type { ConnectOptions, Feed, Gap, Message, PublishOptions, Transport } from '../types.ts'

export type Connect = <T>(url: string | URL, options?: ConnectOptions) => Feed<T>

export interface FeedOptions extends ConnectOptions {
  /** Opens the connection, for example `connectShared`. @default connect */
  connect?: Connect
}

/** State of a feed. A change creates a new object. */
export interface FeedView<T = unknown> {
  /** `connecting` also on the server and before the first effect. */
  readonly status: 'connecting' | 'open' | 'closed'
  /** The transport in use; undefined before there is one. */
  readonly transport: Transport | undefined
  /** Why the last connection failed; undefined while one is open. */
  readonly error: Error | undefined
  /** The last gap. */
  readonly gap: Gap | undefined
  /** The feed; undefined on the server and before the first effect. Changes with the options. */
  readonly feed: Feed<T> | undefined
  /** Publishes over the feed. Keeps its identity for the lifetime of the component. */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<{ cursor: string }>
  /** @internal */
  readonly store: FeedStore<T>
}

/** Receives the messages and gaps of a feed. */
export interface Listener<T> {
  message(message: Message<T>): void
  gap(gap: Gap): void
}

/**
 * Owns the feed of one component over all its connections. The first watcher opens the connection, so a discarded render
 * opens none. The connection closes one turn after the last watcher has left,
 * so that a remount (StrictMode) keeps its connection.
 */
export class FeedStore<T> {
  readonly #watchers = new Set<() => void>()
  readonly #listeners = new Set<Listener<T>>()
  #url: string
  #options: FeedOptions
  #key: string
  #feed: Feed<T> | undefined
  /** Cursor of the last event delivered to the listeners. */
  #place: string | undefined
  #closing: ReturnType<typeof setTimeout> | undefined
  #view: FeedView<T>

  constructor(url: string | URL, options: FeedOptions) {
    this.#url = `${url}`
    this.#options = options
    this.#key = keyOf(options)
    this.#view = {
      status: 'connecting',
      transport: undefined,
      error: undefined,
      gap: undefined,
      feed: undefined,
      publish: (channel, data, options) =>
        this.#feed?.publish(channel, data, options) ??
        Promise.reject(new Error('The feed is not connected: publish in an effect or in a handler')),
      store: this,
    }
  }

  readonly view = (): FeedView<T> => this.#view

  /** Everything up to this cursor has been delivered. */
  get place(): string | undefined {
    return this.#place
  }

  /** The options of the last render. Functions are used as they are; any other change reconnects. */
  update(url: string | URL, options: FeedOptions): void {
    const key = keyOf(options)
    const address = `${url}`
    const moved = address !== this.#url || options.cursor !== this.#options.cursor
    this.#options = options
    if (!moved && key === this.#key) return
    this.#url = address
    this.#key = key
    this.#keepPlace()
    // Another log or start position makes the position invalid.
    if (moved) this.#place = undefined
    if (this.#feed) {
      this.#close()
      this.#open()
    }
  }

  /** @returns a function that ends the watch */
  readonly watch = (changed: () => void): (() => void) => {
    this.#watchers.add(changed)
    clearTimeout(this.#closing)
    this.#closing = undefined
    if (!this.#feed) this.#open()
    return () => {
      this.#watchers.delete(changed)
      if (this.#watchers.size) return
      this.#keepPlace()
      this.#closing = setTimeout(() => this.#close(), 0)
    }
  }

  /** @returns a function that removes the listener */
  listen(listener: Listener<T>): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #open(): void {
    const { connect: open = connect, ...options } = this.#options
    const cursor = this.#place ?? options.cursor
    const feed = open<T>(this.#url, {
      ...options,
      ...(cursor !== undefined && { cursor }),
      // Use the functions of the last render.
      ...(options.onGap && { onGap: (gap) => this.#options.onGap?.(gap) }),
      ...(options.getToken && { getToken: () => this.#options.getToken?.() ?? '' }),
    })
    this.#feed = feed
    const mine = () => feed === this.#feed
    feed.addEventListener('message', (message) => {
      if (!mine()) return
      // Without a watcher, leave the message for the next connection.
      if (this.#closing !== undefined) {
        this.#close()
        return
      }
      this.#place = message.cursor
      for (const listener of this.#listeners) listener.message(message)
    })
    feed.addEventListener('gap', ({ reason, cursor, from, channel, advice }) => {
      if (!mine() || this.#closing !== undefined) return
      const gap: Gap = { reason, cursor, from, channel, advice }
      this.#place = cursor
      for (const listener of this.#listeners) listener.gap(gap)
      this.#show({ gap })
    })
    feed.addEventListener('status', ({ readyState, transport }) => {
      if (!mine()) return
      const status = readyState === 1 ? 'open' : readyState === 0 ? 'connecting' : 'closed'
      this.#show({ status, transport, ...(readyState === 1 && { error: undefined }) })
    })
    feed.addEventListener('error', ({ error }) => {
      if (mine()) this.#show({ error })
    })
    this.#show({ feed, status: 'connecting' })
  }

  /** Keeps the position of the feed. */
  #keepPlace(): void {
    this.#place = this.#feed?.cursor ?? this.#place
  }

  #close(): void {
    const feed = this.#feed
    this.#feed = undefined
    clearTimeout(this.#closing)
    this.#closing = undefined
    feed?.close()
    this.#show({ feed: undefined, status: 'connecting' })
  }

  #show(change: Partial<FeedView<T>>): void {
    const before = this.#view
    if (Object.entries(change).every(([name, value]) => before[name as keyof FeedView<T>] === value)) return
    this.#view = { ...before, ...change }
    for (const changed of this.#watchers) changed()
  }
}

/** The options whose change reconnects: all except functions and objects that are not plain. */
function keyOf({
  connect,
  fetch,
  WebSocket,
  EventSource,
  storage,
  signal,
  request,
  ...plain
}: FeedOptions): string {
  const headers = request && [...new Headers(request.headers)].sort()
  const { credentials } = (request ?? {}) as { credentials?: string }
  return JSON.stringify([plain, headers, credentials])
}
