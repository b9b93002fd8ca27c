/** A way to read the log. */
export type Transport = 'ws' | 'sse' | 'longpoll' | 'poll'

export interface Message<T = unknown> {
  /** The message's place in the log: the feed can go on from here, on any transport. */
  readonly cursor: string
  readonly channel: string
  /** When the server accepted it: milliseconds since 1970. */
  readonly time: number
  /** JSON and text as they were published; bytes as a Uint8Array. */
  readonly data: T
}

/**
 * `trimmed`: retention took messages that were not read yet. `epoch`: the log has started over. `ahead`: the cursor
 * is past the log's end.
 */
export type GapReason = 'trimmed' | 'epoch' | 'ahead'

/** A hole: what came between two places can't be had any more. */
export interface Gap {
  readonly reason: GapReason
  /** After this place, all is there. */
  readonly cursor: string
  /** The last place up to which all had come. */
  readonly from: string | undefined
  /** The channel whose replay has the hole, where `subscribe` began in the past; else undefined: all are concerned. */
  readonly channel: string | undefined
  /** What can be done about it. */
  readonly advice: string
}

/** Why a transport failed, or a publish did. */
export interface Fault {
  readonly message: string
  /** The server's code (`TIDINGS_ERR_…`) where it gave one, else the close code of a socket or the status of an answer. */
  readonly code?: number | string
  /** The status of an answer. */
  readonly status?: number
  /** Whether to try again is of no use. */
  readonly final?: boolean
  /** Milliseconds to wait before another try, as the server asked for (`Retry-After`, `retry:`). */
  readonly after?: number
}

export interface PublishOptions {
  /**
   * An idempotency key, up to 128 characters: with it a publish that got no answer is tried again until it has one,
   * and counts once. Without it such a publish rejects, and nobody knows.
   */
  key?: string
  /** Gives up, also between two tries. */
  signal?: AbortSignal
  /** Does not wait for the publishes before it, nor do those behind wait for it. @default false */
  unordered?: boolean
  /** Ends the channel; the data is its last, and may be undefined. @default false */
  end?: boolean
}

export interface SubscribeOptions {
  /** Where the channel begins: a cursor, `earliest`, `last:N`, `since:MS`, or `now`. @default the feed's place */
  cursor?: string
}

/** What a connection shows to be let in. */
export interface Credentials {
  /** Go with each fetch. */
  headers?: Record<string, string>
  /** Go with the address of a WebSocket and of an EventSource, which take no headers. */
  query?: Record<string, string>
}

/** As much of a WebSocket as the client uses; that of browsers, of undici and of ws have it. */
export interface SocketLike {
  readonly readyState: number
  readonly bufferedAmount: number
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(text: string): void
  close(code?: number): void
}

/** As much of an EventSource as the client uses. */
export interface SourceLike {
  readonly readyState: number
  onerror: ((event: never) => void) | null
  addEventListener(
    type: string,
    listener: (event: { readonly data: string; readonly lastEventId: string }) => void,
  ): void
  close(): void
}

/** As much of a Storage as the client uses. */
export interface StorageLike {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

export interface ConnectOptions {
  /** What to read, 32 at most. @default the channel `default` */
  channels?: readonly string[]
  /** Where to start: a cursor, `earliest`, `last:N`, `since:MS`, or `now`. @default 'now' */
  cursor?: string
  /**
   * When the cursor moves. `auto`: as a message is given to the handlers (at most once: a handler that throws does not
   * get it again). `manual`: when the program calls `ack` (at least once: a feed that starts at the cursor gives again
   * what was not acknowledged). @default 'auto'
   */
  ack?: 'auto' | 'manual'
  /**
   * Asked before each connection, and again after a 401 or when a permission has run out. A string goes as
   * `Authorization: Bearer …` with each fetch, and as the query parameter `access_token` with a WebSocket or an
   * EventSource. Credentials go as they are.
   */
  getToken?: () => string | Credentials | Promise<string | Credentials>
  /** In the order in which they are liked. @default ['ws', 'sse', 'longpoll', 'poll'] */
  transports?: readonly Transport[]
  /** Milliseconds in which a transport must carry something, or the next is tried. @default 5000 */
  probe?: number
  /** Milliseconds after which a better transport is tried again, about. @default 60000 */
  upgradeAfter?: number
  /** Milliseconds without a sign of life after which a socket or a stream is taken for dead. @default 40000 */
  silence?: number
  /** Milliseconds between two polls. @default 2000 */
  pollInterval?: number
  /** Seconds that a long poll may be held. @default 25 */
  wait?: number
  /** The wait before a reconnect is taken at random from 0 to `base` ms, doubled with each try up to `cap`. */
  backoff?: {
    /** @default 1000 */
    base?: number
    /** @default 30000 */
    cap?: number
  }
  /** Messages that may wait for a slow `for await`; past it the feed stops, and reads on when they are taken. @default 1000 */
  buffer?: number
  /** Closes the feed. */
  signal?: AbortSignal
  /**
   * Where to go on after a hole: a cursor, `earliest` or `now`; nothing: from the gap's own cursor. The feed waits for
   * it, so this is the place to load what the messages have built up so far. A throw ends the feed with that error.
   */
  onGap?: (gap: Gap) => string | undefined | Promise<string | undefined>
  /** Given to each fetch beside what the client sets: `headers`, `credentials`. */
  request?: RequestInit
  /** @default the global one */
  fetch?: typeof fetch
  /** Node 20 has none of its own: without one, `ws` is left out. @default the global one */
  WebSocket?: new (
    url: string,
    protocols: string[],
  ) => SocketLike
  /**
   * For `sse` instead of a reader on fetch. An EventSource shows neither heartbeats nor answers: a dead link shows
   * later, and a refusal is no more than a failure. @default none
   */
  EventSource?: new (
    url: string,
    init: { withCredentials: boolean },
  ) => SourceLike
  /** Where it is remembered which transport worked. @default sessionStorage where there is one, and this program */
  storage?: StorageLike
}

export interface OpenEvent extends Event {
  /** Whether the feed was open before, and goes on at its place. A gap comes before. */
  readonly resumed: boolean
}

/** Nothing more comes in a channel. Once all have ended the feed closes. */
export interface End<T = unknown> {
  readonly channel: string
  /** Where to go on in the others. */
  readonly cursor: string
  /** What came with the end; undefined where nothing did. */
  readonly data: T | undefined
}

export interface EndEvent<T = unknown> extends Event, End<T> {}

export interface MessageEvent<T> extends Event, Message<T> {
  /** The cursor, by the name that EventSource gives it. */
  readonly lastEventId: string
}

export interface GapEvent extends Event, Gap {}

export interface StatusEvent extends Event {
  readonly readyState: number
  readonly transport: Transport
  /** Milliseconds until the next try, where one is waited for. */
  readonly wait: number | undefined
}

export interface FaultEvent extends Event {
  readonly transport: Transport
  /** What failed; where a handler threw, what it threw. */
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

/** One log, read over whatever carries it: an EventTarget with the names of WebSocket and EventSource. */
export interface Feed<T = unknown> extends EventTarget, AsyncIterable<Message<T>> {
  readonly url: string
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number
  /** Bytes that wait in the socket; 0 where there is none. 0 is no proof that anything has arrived. */
  readonly bufferedAmount: number
  /** The place up to which all has been given, or with `ack: 'manual'` acknowledged; undefined until there is one. */
  readonly cursor: string | undefined
  /** What is read. */
  readonly channels: readonly string[]
  /** The transport in use, or the one that is being tried. */
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
  /** Calls the handler with each message of one channel. @returns what ends that */
  on(channel: string, handler: (message: MessageEvent<T>) => void): () => void
  /**
   * Reads this channel, too.
   * @returns when what it gives from `cursor` up to the feed's place has been given
   */
  subscribe(channel: string, options?: SubscribeOptions): Promise<void>
  /** Reads this channel no more: nothing of it is given from now on. */
  unsubscribe(channel: string): Promise<void>
  /** With `ack: 'manual'`: all up to this message has been handled. */
  ack(message: { readonly cursor: string }): void
  /**
   * Goes over to this transport, which from then on is liked best, without a hole.
   * @returns whether it carries
   */
  switchTo(transport: Transport): Promise<boolean>
  /**
   * Over the socket where it is open, else by POST. A string goes as text, bytes as bytes, all else as JSON.
   * @returns the message's cursor
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<{ cursor: string }>
  close(code?: number, reason?: string): void
}
