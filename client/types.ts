/** A transport that reads the log. */
export type Transport = 'ws' | 'sse' | 'longpoll' | 'poll'

export interface Message<T = unknown> {
  /** Position of the message in the log. A feed can resume from it over any transport. */
  readonly cursor: string
  readonly channel: string
  /** Time of acceptance by the server, in milliseconds since 1970. */
  readonly time: number
  /** The published value. Bytes are a Uint8Array. */
  readonly data: T
}

/**
 * `trimmed`: retention removed unread messages. `epoch`: the log has started over. `ahead`: the cursor is past the end
 * of the log.
 */
export type GapReason = 'trimmed' | 'epoch' | 'ahead'

/** A range of the log that is no longer available. */
export interface Gap {
  readonly reason: GapReason
  /** Reading resumes after this cursor. */
  readonly cursor: string
  /** Cursor of the last event before the gap; undefined if there was none. */
  readonly from: string | undefined
  /** The channel, for a gap in a replay that `subscribe` requested; undefined if the gap concerns all channels. */
  readonly channel: string | undefined
  /** How to recover, in one sentence. */
  readonly advice: string
}

/** Reason for a failed connection or publish. */
export interface Fault {
  readonly message: string
  /** The server's error code (`TIDINGS_ERR_…`), else the WebSocket close code or the HTTP status. */
  readonly code?: number | string
  /** The HTTP status. */
  readonly status?: number
  /** Whether a retry cannot succeed. */
  readonly final?: boolean
  /** Earliest retry (`Retry-After`, `retry:`), in milliseconds from now. */
  readonly after?: number
}

export interface PublishOptions {
  /**
   * An idempotency key of 1 to 128 printable ASCII characters. The client retries a publish with a key until the server
   * responds, and the server accepts it once. A publish without a key rejects if its response is lost.
   */
  key?: string
  /** Aborts the publish, also between retries. */
  signal?: AbortSignal
  /** Sends at once, outside the order of the other publishes. @default false */
  unordered?: boolean
  /** Ends the channel. `data` may be undefined. @default false */
  end?: boolean
}

export interface SubscribeOptions {
  /** Start of the channel: a cursor, `earliest`, `last:N`, `since:MS` or `now`. @default the feed's position */
  cursor?: string
}

/** Credentials of a connection. */
export interface Credentials {
  /** Headers of each fetch. */
  headers?: Record<string, string>
  /** Query parameters for a WebSocket or an EventSource, which cannot send headers. */
  query?: Record<string, string>
}

/** The part of WebSocket that the client uses. Browsers, undici and ws implement it. */
export interface SocketLike {
  readonly readyState: number
  readonly bufferedAmount: number
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(text: string): void
  close(code?: number): void
}

/** The part of EventSource that the client uses. */
export interface SourceLike {
  readonly readyState: number
  onerror: ((event: never) => void) | null
  addEventListener(
    type: string,
    listener: (event: { readonly data: string; readonly lastEventId: string }) => void,
  ): void
  close(): void
}

/** The part of Storage that the client uses. */
export interface StorageLike {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

export interface ConnectOptions {
  /** Channels to read, at most 32. @default the channel `default` */
  channels?: readonly string[]
  /** Start position: a cursor, `earliest`, `last:N`, `since:MS` or `now`. @default 'now' */
  cursor?: string
  /**
   * When the cursor moves. `auto`: on delivery to the handlers (at most once). `manual`: when the program calls `ack` (at
   * least once: a feed that starts at the cursor receives unacknowledged messages again). @default 'auto'
   */
  ack?: 'auto' | 'manual'
  /**
   * Returns the credentials. Called before each connection, after a 401 and when a permission has expired. A string is
   * sent as `Authorization: Bearer …` (RFC 6750) with a fetch, and as the query parameter `access_token` with a
   * WebSocket or an EventSource.
   */
  getToken?: () => string | Credentials | Promise<string | Credentials>
  /** Transports in order of preference. @default ['ws', 'sse', 'longpoll', 'poll'] */
  transports?: readonly Transport[]
  /** Time limit for the first response of a transport, in milliseconds. @default 5000 */
  probe?: number
  /** Approximate time until an upgrade attempt, in milliseconds. @default 60000 */
  upgradeAfter?: number
  /** Time without data after which a connection counts as dead, in milliseconds. @default 40000 */
  silence?: number
  /** Interval between polls, in milliseconds. @default 2000 */
  pollInterval?: number
  /** Longest wait of a long poll, in seconds. @default 25 */
  wait?: number
  /** Delay before a reconnect: random from 0 to `base` milliseconds, doubled with each attempt up to `cap`. */
  backoff?: {
    /** @default 1000 */
    base?: number
    /** @default 30000 */
    cap?: number
  }
  /** Limit of buffered messages. The feed pauses at the limit and resumes as they are read. @default 1000 */
  buffer?: number
  /**
   * Milliseconds for which the server remembers keys: its `retention.keyAge`. A publish with a key that has no response
   * by then rejects with `ERR_KEY_AGE`, because a repeat might count twice. @default 600000
   */
  keyAge?: number
  /** Closes the feed. */
  signal?: AbortSignal
  /**
   * Handles a gap, for example by loading the current state. The feed delivers nothing until it settles. Return a start
   * position, or undefined to resume from the cursor of the gap. An exception closes the feed with that error.
   */
  onGap?: (gap: Gap) => string | undefined | Promise<string | undefined>
  /** Options for each fetch, such as `headers` and `credentials`. */
  request?: RequestInit
  /** The fetch implementation. @default the global `fetch` */
  fetch?: typeof fetch
  /** The WebSocket implementation. Without one, as in Node 20, `ws` is not used. @default the global `WebSocket` */
  WebSocket?: new (
    url: string,
    protocols: string[],
  ) => SocketLike
  /**
   * Reads `sse` with this EventSource instead of fetch. An EventSource exposes neither heartbeats nor HTTP statuses, so
   * the client detects a dead connection later. @default none
   */
  EventSource?: new (
    url: string,
    init: { withCredentials: boolean },
  ) => SourceLike
  /** Stores the last transport in use. @default `sessionStorage` if available, else memory */
  storage?: StorageLike
}

export interface OpenEvent extends Event {
  /** Whether the feed was open before and resumes at its position. */
  readonly resumed: boolean
}

/** The end of a channel. The feed closes once all channels have ended. */
export interface End<T = unknown> {
  readonly channel: string
  /** Position of the end in the log. */
  readonly cursor: string
  /** The data of the end, if any. */
  readonly data: T | undefined
}

export interface EndEvent<T = unknown> extends Event, End<T> {}

export interface MessageEvent<T> extends Event, Message<T> {
  /** The cursor, under the name that EventSource uses. */
  readonly lastEventId: string
}

export interface GapEvent extends Event, Gap {}

export interface StatusEvent extends Event {
  readonly readyState: number
  readonly transport: Transport
  /** Time until the next attempt, in milliseconds, if one is scheduled. */
  readonly wait: number | undefined
}

export interface FaultEvent extends Event {
  readonly transport: Transport
  /** The failure, or the exception of a handler. */
  readonly error: Error & Fault
}

export interface CloseEvent extends Event {
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
}

export interface FeedEvents<T> {
  open: OpenEvent
  message: MessageEvent<T>
  gap: GapEvent
  end: EndEvent<T>
  status: StatusEvent
  error: FaultEvent
  close: CloseEvent
}

type Listener<E> = ((event: E) => void) | { handleEvent(event: E): void }

/** Reads a log over the transport in use. An EventTarget with the members of WebSocket and EventSource. */
export interface Feed<T = unknown> extends EventTarget, AsyncIterable<Message<T>> {
  readonly url: string
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number
  /** Bytes queued in the WebSocket; 0 without one. 0 does not mean that the server has received them. */
  readonly bufferedAmount: number
  /** Position of the last message delivered, or acknowledged with `ack: 'manual'`. Undefined before the first. */
  readonly cursor: string | undefined
  /** Channels that the feed reads. */
  readonly channels: readonly string[]
  /** The transport in use, or the one being probed. */
  readonly transport: Transport
  onopen: ((event: OpenEvent) => void) | null
  onmessage: ((event: MessageEvent<T>) => void) | null
  ongap: ((event: GapEvent) => void) | null
  onend: ((event: EndEvent<T>) => void) | null
  onstatus: ((event: StatusEvent) => void) | null
  onerror: ((event: FaultEvent) => void) | null
  onclose: ((event: CloseEvent) => void) | null
  addEventListener<K extends keyof FeedEvents<T>>(
    type: K,
    listener: Listener<FeedEvents<T>[K]> | null,
    options?: { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal } | boolean,
  ): void
  removeEventListener<K extends keyof FeedEvents<T>>(
    type: K,
    listener: Listener<FeedEvents<T>[K]> | null,
    options?: { capture?: boolean } | boolean,
  ): void
  /** Calls the handler for each message of one channel. @returns a function that removes the handler */
  on(channel: string, handler: (message: MessageEvent<T>) => void): () => void
  /**
   * Adds a channel.
   * @returns a promise that resolves once the channel has caught up with the feed
   */
  subscribe(channel: string, options?: SubscribeOptions): Promise<void>
  /** Removes a channel. The feed delivers none of its messages from now on. */
  unsubscribe(channel: string): Promise<void>
  /** Acknowledges all messages up to this one, with `ack: 'manual'`. */
  ack(message: { readonly cursor: string }): void
  /**
   * Switches to this transport without losing messages, and prefers it from now on.
   * @returns whether the switch succeeded
   */
  switchTo(transport: Transport): Promise<boolean>
  /**
   * Publishes over the WebSocket if one is open, else by POST: a string as text, bytes as bytes, anything else as JSON.
   * @returns the cursor of the message
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<{ cursor: string }>
  close(code?: number, reason?: string): void
}
