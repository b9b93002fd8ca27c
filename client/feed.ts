import type { Link } from './link.ts'
import { LongPollLink, PollLink } from './poll.ts'
import { post } from './publish.ts'
import { jitter, type Settings, sleep } from './settings.ts'
import { SocketLink } from './socket.ts'
import { SourceLink } from './source.ts'
import { SseLink } from './sse.ts'
import type { Fault, Gap, GapReason, Message, PublishOptions, Transport } from './types.ts'

const LINKS = { ws: SocketLink, sse: SseLink, longpoll: LongPollLink, poll: PollLink }

const LOAD = 'load the present state, then go on from the cursor.'
const ADVICE = {
  trimmed: `Messages were dropped before they were read: ${LOAD}`,
  epoch: `The log has started over: drop what was built from it, ${LOAD}`,
  ahead: `The log has lost messages that were read: ${LOAD}`,
}

const EVENTS = ['open', 'message', 'gap', 'status', 'error', 'close']

/** Connections that lived for less than the probe time, in a row, after which the next transport is tried. */
const SHORT_LIVES = 3

/** What worked, by address and list, for where nothing is stored. */
const worked = new Map<string, string>()

/** One reader, whatever carries it. It owns the place; links come and go. */
export class CursorFeed extends EventTarget {
  readonly url: string
  readonly #settings: Settings
  readonly #key: string
  /** What iterations have not taken yet, a queue each. */
  readonly #queues = new Set<Message[]>()
  /** Iterations that wait. */
  readonly #takers: (() => void)[] = []
  readonly #ended = new AbortController()
  #readyState = 0
  /** As they are liked: what the user has switched to comes first. */
  #order: Transport[]
  /** Where a round of tries begins: at what worked. */
  #first: number
  #transport: Transport
  #link: Link | undefined
  /** A better one, on probation; the link goes on meanwhile. */
  #next: Link | undefined
  #turn = 0
  #nextIndex = 0
  /** The last place that was applied; `now` or `earliest` before there is one. */
  #cursor: string
  #timer: ReturnType<typeof setTimeout> | undefined
  #climbTimer: ReturnType<typeof setTimeout> | undefined
  /** The try that the timer waits for. */
  #waiting: (() => void) | undefined
  /** The server has asked not to be bothered before. */
  #notBefore = 0
  #attempt = 0
  #short = 0
  /** No link until a slow iteration has taken what waits. */
  #held = false
  /** No link until onGap has answered. */
  #asking = false
  #switched: ((carries: boolean) => void) | undefined
  #error: Error | undefined

  constructor(settings: Settings) {
    super()
    const { url, transports, storage, signal, cursor } = settings
    this.url = url
    this.#settings = settings
    this.#key = `tidings ${url} ${transports}`
    this.#order = [...transports]
    this.#cursor = cursor
    this.#first = Math.max(
      0,
      this.#order.indexOf((storage?.getItem(this.#key) ?? worked.get(this.#key)) as Transport),
    )
    this.#transport = this.#order[this.#first]!
    const handlers = this as unknown as Record<string, ((event: Event) => void) | null>
    for (const type of EVENTS) {
      handlers[`on${type}`] = null
      this.addEventListener(type, (event) => handlers[`on${type}`]?.(event))
    }
    this.#watch('addEventListener')
    signal?.addEventListener('abort', () => this.close(), { once: true })
    queueMicrotask(() => {
      if (signal?.aborted) this.close()
      else if (!this.#readyState && !this.#link) this.#try(0)
    })
  }

  get readyState(): number {
    return this.#readyState
  }

  get bufferedAmount(): number {
    return this.#link?.bufferedAmount ?? 0
  }

  get transport(): Transport {
    return this.#transport
  }

  get cursor(): string | undefined {
    return this.#cursor.includes('.') ? this.#cursor : undefined
  }

  // Links

  #make(transport: Transport): Link {
    const Kind = transport === 'sse' && this.#settings.EventSource ? SourceLink : LINKS[transport]
    const link: Link = new Kind(this.#settings, this.#cursor, {
      opened: () => this.#carries(link, transport),
      message: (message) => this.#apply(message),
      place: (cursor) => this.#advance(cursor),
      gap: (reason, cursor) => this.#gap(reason, cursor),
      down: (fault) => {
        if (link === this.#next) this.#climbFailed()
        else this.#down(link, fault)
      },
    })
    void link.start()
    return link
  }

  /** @param turn how many of this round have failed */
  #try(turn: number): void {
    this.#waiting = undefined
    this.#turn = turn
    this.#transport = this.#order[(this.#first + turn) % this.#order.length]!
    this.#link = this.#make(this.#transport)
    this.#status(0)
  }

  #carries(link: Link, transport: Transport): void {
    if (link === this.#next) {
      // It starts at the last place that was applied: what both have told is dropped by its seq.
      this.#link?.close()
      this.#link = link
      this.#next = undefined
    }
    const wasOpen = this.#readyState === 1
    this.#transport = transport
    this.#first = this.#order.indexOf(transport)
    this.#remember(transport)
    this.#climbLater()
    this.#settleSwitch(this.#first === 0)
    this.#status(1)
    if (!wasOpen) this.#fire('open', {})
  }

  #down(link: Link, fault: Fault): void {
    const { probe } = this.#settings
    const { transport } = this
    const error = Object.assign(new Error(fault.message), fault)
    clearTimeout(this.#climbTimer)
    // One on probation stands in.
    this.#link = this.#next
    this.#next = undefined
    this.#readyState = 0
    this.#fire('error', { error, transport })
    if (this.#ended.signal.aborted || this.#link) return
    if (fault.final) {
      this.#end(Number(fault.code), fault.message, error)
      return
    }
    this.#notBefore = Date.now() + (fault.after ?? 0)
    let turn = 0
    if (!link.since) turn = (this.#turn + 1) % this.#order.length
    else if (Date.now() - link.since >= probe) this.#attempt = this.#short = 0
    else if (++this.#short % SHORT_LIVES === 0) turn = 1
    // Within a round the next is tried at once.
    const wait = turn && !link.since ? 0 : jitter(this.#settings, this.#attempt++)
    this.#later((fault.after ?? 0) + wait, turn)
  }

  #later(ms: number, turn: number): void {
    this.#waiting = () => this.#try(turn)
    this.#timer = setTimeout(this.#waiting, ms)
    this.#status(0, ms)
  }

  /** There is reason to think that the network is back, or gone: what waits is tried, what stands is tested. */
  readonly #wake = () => {
    if (!this.#waiting) this.#link?.check()
    else if (Date.now() >= this.#notBefore) {
      clearTimeout(this.#timer)
      this.#waiting()
    }
  }

  #stop(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#climbTimer)
    this.#link?.close()
    this.#next?.close()
    this.#link = this.#next = this.#waiting = undefined
  }

  #remember(transport: Transport): void {
    worked.set(this.#key, transport)
    try {
      this.#settings.storage?.setItem(this.#key, transport)
    } catch {
      // A storage may be full; what worked is not worth more.
    }
  }

  // Better ones

  #climbLater(): void {
    clearTimeout(this.#climbTimer)
    if (!this.#first) return
    const ms = this.#settings.upgradeAfter * (0.75 + Math.random() / 2)
    this.#climbTimer = setTimeout(() => this.#climb(0), ms)
  }

  #climb(index: number): void {
    this.#nextIndex = index
    this.#next?.close()
    this.#next = this.#make(this.#order[index]!)
  }

  #climbFailed(): void {
    this.#next = undefined
    this.#settleSwitch(false)
    if (this.#nextIndex + 1 < this.#first) this.#climb(this.#nextIndex + 1)
    else this.#climbLater()
  }

  #settleSwitch(carries: boolean): void {
    this.#switched?.(carries)
    this.#switched = undefined
  }

  switchTo(transport: Transport): Promise<boolean> {
    if (!this.#order.includes(transport)) {
      return Promise.reject(new TypeError(`Option 'transports' has no '${transport}' that can be used here`))
    }
    this.#settleSwitch(false)
    if (this.#readyState > 1) return Promise.resolve(false)
    this.#order = [transport, ...this.#order.filter((other) => other !== transport)]
    return new Promise((resolve) => {
      this.#switched = resolve
      this.#first = this.#readyState ? this.#order.indexOf(this.#transport) : 0
      clearTimeout(this.#climbTimer)
      if (this.#first) this.#climb(0)
      else if (this.#readyState) {
        this.#next?.close()
        this.#next = undefined
        this.#settleSwitch(true)
      } else if (!this.#held) {
        this.#stop()
        this.#try(0)
      }
    })
  }

  // Messages

  #apply(message: Message): void {
    if (!this.#isNew(message.cursor)) return
    this.#cursor = message.cursor
    // The log keeps what does not fit.
    for (const queue of this.#queues) if (queue.push(message) >= this.#settings.buffer) this.#hold()
    this.#wakeTakers()
    this.#fire('message', { ...message, lastEventId: message.cursor })
  }

  #advance(cursor: string): void {
    if (this.#isNew(cursor)) this.#cursor = cursor
  }

  /** Whether a place comes after what was applied. */
  #isNew(cursor: string): boolean {
    const [epoch, seq] = this.#cursor.split('.')
    return !cursor.startsWith(`${epoch}.`) || Number(cursor.split('.')[1]) > Number(seq)
  }

  #hold(): void {
    this.#held = true
    this.#stop()
    this.#status(0)
  }

  #resume(ms: number): void {
    this.#held = false
    if (this.#readyState < 2) this.#later(ms, 0)
  }

  #gap(reason: GapReason, cursor: string): void {
    const { onGap } = this.#settings
    const gap: Gap = { reason, cursor, from: this.cursor, channel: undefined, advice: ADVICE[reason] }
    this.#cursor = cursor
    // It began before the hole, and would tell it again.
    /* c8 ignore next -- whether a better transport is being tried when a hole is told is up to the network */
    if (this.#next) this.#climb(this.#nextIndex)
    if (onGap) this.#hold()
    this.#fire('gap', gap)
    if (onGap) void this.#ask(onGap, gap)
  }

  async #ask(onGap: NonNullable<Settings['onGap']>, gap: Gap): Promise<void> {
    this.#asking = true
    try {
      const place = await onGap(gap)
      this.#cursor = place ?? this.#cursor
      this.#asking = false
      // That place may be gone as well, again and again.
      this.#resume(place ? jitter(this.#settings, this.#attempt++) : 0)
    } catch (error) {
      this.#end(0, `${error}`, error as Error)
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    const queue: Message[] = []
    this.#queues.add(queue)
    try {
      for (;;) {
        for (let next = queue.shift(); next; next = queue.shift()) yield next
        if (this.#held && !this.#asking) this.#resume(0)
        if (this.#readyState === 3) {
          if (this.#error) throw this.#error
          return
        }
        await new Promise<void>((resolve) => this.#takers.push(resolve))
      }
    } finally {
      this.#queues.delete(queue)
    }
  }

  #wakeTakers(): void {
    for (const wake of this.#takers.splice(0)) wake()
  }

  publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<{ cursor: string }> {
    return this.#publish(channel, data, options, 0)
  }

  async #publish(
    channel: string,
    data: unknown,
    options: PublishOptions,
    attempt: number,
  ): Promise<{ cursor: string }> {
    const { key, signal } = options
    const closed = this.#ended.signal
    signal?.throwIfAborted()
    if (closed.aborted) throw new Error('The feed is closed')
    try {
      return await (this.#link?.publish(channel, data, key) ?? post(this.#settings, channel, data, options))
    } catch (error) {
      const { final, after = 0 } = error as Fault
      if (!key || final || signal?.aborted || closed.aborted) throw error
      await sleep(after + jitter(this.#settings, attempt), closed, signal)
      return this.#publish(channel, data, options, attempt + 1)
    }
  }

  // Ends

  close(code = 1000, reason = ''): void {
    this.#end(code, reason)
  }

  #end(code: number, reason: string, error?: Error): void {
    if (this.#readyState > 1) return
    this.#readyState = 2
    this.#error = error
    this.#stop()
    this.#ended.abort()
    this.#watch('removeEventListener')
    this.#settleSwitch(false)
    queueMicrotask(() => {
      this.#status(3)
      this.#wakeTakers()
      this.#fire('close', { code, reason, wasClean: !error })
    })
  }

  /** @param method of EventTarget */
  #watch(method: 'addEventListener' | 'removeEventListener'): void {
    const page = globalThis as unknown as Partial<EventTarget> & { document?: EventTarget }
    page[method]?.('online', this.#wake)
    page[method]?.('offline', this.#wake)
    page.document?.[method]('visibilitychange', this.#wake)
  }

  #status(readyState: number, wait?: number): void {
    this.#readyState = readyState
    this.#fire('status', { readyState, transport: this.#transport, wait })
  }

  #fire(type: string, members: object): void {
    this.dispatchEvent(Object.assign(new Event(type), members))
  }
}
