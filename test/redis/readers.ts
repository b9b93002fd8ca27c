import { setTimeout as wait } from 'node:timers/promises'
import { WebSocket as Socket } from 'undici'
import {
  type ConnectOptions,
  connect,
  type Feed,
  type GapReason,
  type Transport,
} from '../../client/index.ts'
import { SocketClient, StreamClient } from '../helper.ts'
import { ask } from '../request.ts'
import { type Given, Judge, type Numbered, seqOf, type Truth } from './judge.ts'

/** What kinds of readers there are: bare ones of each transport, and the client, which goes over to others by itself. */
export const KINDS = ['poll', 'longpoll', 'sse', 'ws', 'client'] as const
export type Kind = (typeof KINDS)[number]

export interface Asked {
  readonly kind: Kind
  readonly channels: readonly string[]
  /** Whether that is all that is published. */
  readonly whole: boolean
  /** Where it starts. @default 'earliest' */
  readonly cursor?: string
  /** Messages after which a stream or a socket is left for another. */
  readonly stay?: number
  /** Milliseconds between two polls, and before another try. @default 20 */
  readonly pause?: number
}

const PAUSE = 20
const ALL: readonly Transport[] = ['ws', 'sse', 'longpoll', 'poll']

/** A reader that moves from instance to instance, and from its last cursor on. */
export abstract class Reader {
  readonly judge: Judge
  readonly asked: Asked
  protected readonly base: string
  protected readonly stopping = new AbortController()
  /** How often it has connected. */
  connections = 0
  /** The times at which it came back after a connection had ended, in milliseconds. */
  readonly returns: number[] = []

  constructor(name: string, base: string, asked: Asked, truth: Truth) {
    const { channels, whole, cursor = 'earliest' } = asked
    this.judge = new Judge(name, truth, channels, whole, cursor.includes('.') ? seqOf(cursor) : 0)
    this.base = base
    this.asked = asked
  }

  abstract start(): void
  abstract stop(): Promise<void>
}

abstract class Bare extends Reader {
  protected cursor: string
  #loop: Promise<void> = Promise.resolve()

  constructor(name: string, base: string, asked: Asked, truth: Truth) {
    super(name, base, asked, truth)
    this.cursor = asked.cursor ?? 'earliest'
  }

  /** One request, or one connection until it ends. */
  protected abstract session(signal: AbortSignal): Promise<void>

  start(): void {
    this.#loop = this.#run()
  }

  async #run(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      this.connections++
      if (this.connections > 1) this.returns.push(performance.now())
      // A connection that fails is what all of this is about.
      await this.session(signal).catch(() => {})
      await wait(this.asked.pause ?? PAUSE)
    }
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.#loop
  }

  protected url(path: string, more = ''): string {
    const channels = this.asked.channels.map((channel) => `channel=${channel}`).join('&')
    return `${this.base}${path}?${channels}&cursor=${this.cursor}${more}`
  }

  protected take(message: Given): void {
    this.judge.message(message)
    this.cursor = message.cursor
  }

  protected hole(reason: GapReason, cursor: string): void {
    this.judge.gap(reason, cursor)
    this.cursor = cursor
  }
}

class Asker extends Bare {
  protected async session(signal: AbortSignal): Promise<void> {
    const { kind } = this.asked
    const { status, headers, text } = await ask(this.url(`/${kind}`, kind === 'longpoll' ? '&wait=1' : ''), {
      signal,
    })
    if (status === 200) {
      const { cursor, messages } = JSON.parse(text) as { cursor: string; messages: Given[] }
      for (const message of messages) this.take(message)
      this.cursor = cursor
    } else if (status === 204) this.cursor = headers['tidings-cursor'] as string
    else if (status === 410) {
      const { reason, cursor } = JSON.parse(text) as { reason: GapReason; cursor: string }
      this.hole(reason, cursor)
    }
  }
}

class Streamer extends Bare {
  protected async session(signal: AbortSignal): Promise<void> {
    const abort = new AbortController()
    const end = () => abort.abort()
    signal.addEventListener('abort', end)
    try {
      const stream = new StreamClient(await fetch(this.url('/sse'), { signal: abort.signal }), abort)
      const ended = stream.ended.then(() => undefined)
      for (let left = this.asked.stay ?? Number.POSITIVE_INFINITY; left > 0; left--) {
        const block = await Promise.race([stream.next(), ended])
        if (block === undefined) break
        const { event, data, id } = block
        if (event === 'gap') {
          const { reason, cursor } = JSON.parse(data!) as { reason: GapReason; cursor: string }
          this.hole(reason, cursor)
        } else if (event === undefined && data !== undefined) this.take(JSON.parse(data) as Given)
        else if (event === 'ready') this.cursor = id!
      }
    } finally {
      signal.removeEventListener('abort', end)
      abort.abort()
    }
  }
}

class Talker extends Bare {
  protected async session(signal: AbortSignal): Promise<void> {
    const socket = new SocketClient(this.url('/ws'))
    const end = () => socket.ws.terminate()
    signal.addEventListener('abort', end)
    try {
      await socket.opened
      const closed = socket.closed.then(() => undefined)
      for (let left = this.asked.stay ?? Number.POSITIVE_INFINITY; left > 0; left--) {
        const frame = await Promise.race([socket.json(), closed])
        if (frame === undefined) break
        if (frame.type === undefined) this.take(frame as Given)
        else if (frame.type === 'gap') this.hole(frame.reason, frame.cursor)
        else if (frame.type === 'ready') this.cursor = frame.cursor
      }
    } finally {
      signal.removeEventListener('abort', end)
      socket.ws.terminate()
    }
  }
}

/** The client as programs use it. It goes over to another transport every now and then. */
class Client extends Reader {
  readonly #feed: Feed<Numbered>
  #left: number

  constructor(name: string, base: string, asked: Asked, truth: Truth) {
    super(name, base, asked, truth)
    const start = Math.floor(Math.random() * ALL.length)
    const { stay = Number.POSITIVE_INFINITY, pause = PAUSE } = asked
    this.#left = stay
    this.#feed = connect<Numbered>(base, {
      WebSocket: Socket as unknown as NonNullable<ConnectOptions['WebSocket']>,
      channels: asked.channels,
      cursor: asked.cursor ?? 'earliest',
      transports: [...ALL.slice(start), ...ALL.slice(0, start)],
      backoff: { base: pause, cap: 500 },
      pollInterval: pause,
      wait: 1,
      probe: 2000,
      silence: 5000,
    })
    this.#feed.addEventListener('message', ({ cursor, channel, time, data }) => {
      this.judge.message({ cursor, channel, time, data })
      if (--this.#left > 0) return
      this.#left = stay
      void this.#feed.switchTo(ALL[Math.floor(Math.random() * ALL.length)]!)
    })
    this.#feed.addEventListener('gap', ({ reason, cursor }) => this.judge.gap(reason, cursor))
    this.#feed.addEventListener('open', () => {
      this.connections++
      if (this.connections > 1) this.returns.push(performance.now())
    })
  }

  start(): void {}

  async stop(): Promise<void> {
    this.#feed.close()
  }
}

const CLASSES: Record<Kind, new (name: string, base: string, asked: Asked, truth: Truth) => Reader> = {
  poll: Asker,
  longpoll: Asker,
  sse: Streamer,
  ws: Talker,
  client: Client,
}

/** @param base where it asks: an instance, or what stands before several */
export function makeReader(name: string, base: string, asked: Asked, truth: Truth): Reader {
  return new CLASSES[asked.kind](name, base, asked, truth)
}
