import { type Block, openSocket, openStream, type SocketClient, type StreamClient } from './helper.ts'
import { type Answer, ask } from './request.ts'
import type { Client, Item, MakeClient, Received } from './transport.suite.ts'

function urlOf(
  base: string,
  path: string,
  channels: readonly string[],
  cursor: string | undefined,
  raw: boolean,
): string {
  const params = new URLSearchParams(channels.map((channel) => ['channel', channel]))
  if (cursor !== undefined) params.set('cursor', cursor)
  if (raw) params.set('format', 'raw')
  return `${base}${path}?${params}`
}

/** An envelope as a client has it. */
function received(envelope: { cursor: string; channel: string; data: unknown; encoding?: string }): Received {
  const { cursor, channel, data, encoding } = envelope
  return { cursor, channel, data: encoding === 'base64' ? Buffer.from(data as string, 'base64') : data }
}

/** A client that asks again and again, from the place that the last answer gave it. */
class Asker implements Client {
  readonly #ask: (cursor: string | undefined, more: string) => Promise<Answer>
  #cursor: string | undefined
  readonly #items: Item[] = []
  /** Channels whose end it has been told. */
  readonly #over = new Set<string>()

  constructor(
    cursor: string | undefined,
    asking: (cursor: string | undefined, more: string) => Promise<Answer>,
  ) {
    this.#cursor = cursor
    this.#ask = asking
  }

  async #once(more = ''): Promise<void> {
    const { status, headers, text, bytes } = await this.#ask(this.#cursor, more)
    const cursor = headers['tidings-cursor'] as string
    if (status === 204) {
      this.#cursor = cursor
      this.#end(headers['tidings-ended'] as string | undefined)
    } else if (status === 410) {
      const { reason, cursor } = JSON.parse(text)
      this.#cursor = cursor
      this.#items.push({ gap: { reason, cursor } })
    } else if (status !== 200) throw new Error(`${status} ${text}`)
    else if (cursor !== undefined) {
      this.#cursor = cursor
      const isBytes = headers['content-type'] === 'application/octet-stream'
      this.#items.push({ cursor, data: isBytes ? bytes : text })
    } else {
      const body = JSON.parse(text)
      this.#cursor = body.cursor
      this.#items.push(...body.messages.map(received))
      for (const channel of this.#over) if (!body.ended?.includes(channel)) this.#over.delete(channel)
      for (const channel of body.ended ?? []) this.#end(channel)
    }
  }

  #end(channel: string | undefined): void {
    if (channel === undefined || this.#over.has(channel)) return
    this.#over.add(channel)
    this.#items.push({ end: channel })
  }

  async start(): Promise<this> {
    if (this.#cursor === undefined) await this.#once()
    return this
  }

  async next(): Promise<Item> {
    while (this.#items.length === 0) await this.#once()
    return this.#items.shift()!
  }

  async cursor(): Promise<string> {
    await this.#once('&wait=0')
    return this.#cursor!
  }

  async stop(): Promise<{ rest: Item[]; cursor: string }> {
    return { rest: this.#items, cursor: this.#cursor! }
  }
}

export function asker(path: '/poll' | '/longpoll', raw: boolean): MakeClient {
  return (_t, base, channels, cursor) =>
    new Asker(cursor, (from, more) => ask(urlOf(base, path, channels, from, raw) + more)).start()
}

/** A stream of server-sent events, from behind its first one. */
class Streamer implements Client {
  readonly #stream: StreamClient
  readonly #raw: boolean
  #cursor: string

  constructor(stream: StreamClient, cursor: string, raw: boolean) {
    this.#stream = stream
    this.#cursor = cursor
    this.#raw = raw
  }

  #item({ event, id, data }: Block): Item {
    this.#cursor = id!
    if (event === 'gap') return { gap: JSON.parse(data!) }
    if (event === 'end') return { end: JSON.parse(data!).channel }
    if (!this.#raw) return received(JSON.parse(data!))
    return { cursor: id!, data: event === 'bytes' ? Buffer.from(data!, 'base64') : data }
  }

  async next(): Promise<Item> {
    return this.#item(await this.#stream.next())
  }

  async cursor(): Promise<string> {
    return this.#cursor
  }

  async stop(): Promise<{ rest: Item[]; cursor: string }> {
    this.#stream.close()
    await this.#stream.ended
    const rest = this.#stream.rest.map((block) => this.#item(block))
    return { rest, cursor: this.#cursor }
  }
}

export function streamer(raw: boolean): MakeClient {
  return async (t, base, channels, cursor) => {
    const stream = await openStream(t, urlOf(base, '/sse', channels, cursor, raw))
    return new Streamer(stream, (await stream.next()).id!, raw)
  }
}

/** A WebSocket, from behind its first frame. */
class Talker implements Client {
  readonly #socket: SocketClient
  readonly #items: Item[] = []
  #cursor: string

  constructor(socket: SocketClient, cursor: string) {
    this.#socket = socket
    this.#cursor = cursor
  }

  /** A pong is none. */
  #take(text: string): Item | undefined {
    const frame = JSON.parse(text)
    this.#cursor = frame.cursor
    if (frame.type === undefined) return received(frame)
    if (frame.type === 'end') return { end: frame.channel }
    return frame.type === 'gap' ? { gap: { reason: frame.reason, cursor: frame.cursor } } : undefined
  }

  async next(): Promise<Item> {
    return this.#items.shift() ?? this.#take((await this.#socket.frame()) as string)!
  }

  async cursor(): Promise<string> {
    this.#socket.send({ type: 'ping' })
    for (;;) {
      const item = this.#take((await this.#socket.frame()) as string)
      if (item === undefined) return this.#cursor
      this.#items.push(item)
    }
  }

  async stop(): Promise<{ rest: Item[]; cursor: string }> {
    this.#socket.ws.close()
    await this.#socket.closed
    for (const frame of this.#socket.rest) this.#items.push(this.#take(frame)!)
    return { rest: this.#items, cursor: this.#cursor }
  }
}

/** Its raw form: payloads, and no cursor at all. */
class RawTalker implements Client {
  readonly #socket: SocketClient
  readonly #channel: string

  constructor(socket: SocketClient, channel: string) {
    this.#socket = socket
    this.#channel = channel
  }

  /** A frame, or the end of the channel, which it tells by its own. */
  async next(): Promise<Item> {
    const end = this.#socket.closed.then(({ code }): Item => {
      if (code !== 1000) throw new Error(`closed with ${code}`)
      return { end: this.#channel }
    })
    end.catch(() => {})
    if (this.#socket.rest.length > 0) return { data: await this.#socket.frame() }
    return Promise.race([this.#socket.frame().then((data) => ({ data })), end])
  }

  async cursor(): Promise<string> {
    throw new Error('a raw socket has no cursor')
  }

  async stop(): Promise<{ rest: Item[]; cursor: string }> {
    this.#socket.ws.close()
    await this.#socket.closed
    return { rest: [], cursor: '' }
  }
}

export function talker(raw: boolean): MakeClient {
  return async (t, base, channels, cursor) => {
    const socket = await openSocket(t, urlOf(base, '/ws', channels, cursor, raw))
    return raw ? new RawTalker(socket, channels[0]!) : new Talker(socket, (await socket.json()).cursor)
  }
}
