import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import { type ClientOptions, WebSocket } from 'ws'
import tidings, { type TidingsOptions } from '../index.ts'

export interface Built {
  app: FastifyInstance
  /** Without a slash at the end. */
  url: string
  port: number
}

/** Whether the tests of this process run without the fast path: see plain-path.test.ts. */
const PLAIN_PATH = process.env.TIDINGS_TEST_PLAIN_PATH === '1'

/** Whether they run with every message compressed: see compressed.test.ts. */
const COMPRESSED = process.env.TIDINGS_TEST_COMPRESSED === '1'

/** The Redis that keeps the log of each app, under a prefix of its own: see redis/contract.test.ts. */
const REDIS = process.env.TIDINGS_TEST_REDIS

let prefixes = 0

/** The same options, with the log in Redis. */
async function inRedis(url: string, { retention, ...options }: TidingsOptions): Promise<TidingsOptions> {
  const { redisBus } = await import('../bus/redis.ts')
  const bus = redisBus({ url, prefix: `app${++prefixes}`, ...(retention && { retention }) })
  return { bus, ...options }
}

const OPTIONS: TidingsOptions = {
  ...(PLAIN_PATH && { fastPath: false }),
  ...(COMPRESSED && { compression: { threshold: 0 } }),
}

/**
 * A listening app with the plugin, which closes with the test.
 * @param before registered before the plugin
 */
export async function build(
  t: Test,
  options: TidingsOptions = {},
  { server = {}, before }: { server?: FastifyServerOptions; before?: (app: FastifyInstance) => unknown } = {},
): Promise<Built> {
  const app = Fastify({ ...server }) as FastifyInstance
  t.teardown(async () => {
    const closed = app.close()
    // fetch opens connections ahead and sends nothing on them; node:http does not count those as idle. A server of
    // HTTP/2 has no such method.
    app.server.closeAllConnections?.()
    await closed
  })
  await before?.(app)
  const placed = REDIS === undefined ? options : await inRedis(REDIS, options)
  await app.register(tidings, { ...OPTIONS, ...placed })
  return { app, ...(await listen(app)) }
}

export async function listen(app: FastifyInstance): Promise<{ url: string; port: number }> {
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { url, port: Number(new URL(url).port) }
}

/** Resolves once that many readers wait for what comes next. */
export async function live(app: FastifyInstance, count: number): Promise<void> {
  while (app.tidings.bus.log.groups.watching !== count) await new Promise((resolve) => setImmediate(resolve))
}

/** Messages that come in, to be waited for one by one. */
export class Queue<T> {
  readonly #items: T[] = []
  readonly #waiting: ((item: T) => void)[] = []

  push(item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting) waiting(item)
    else this.#items.push(item)
  }

  next(): Promise<T> {
    const item = this.#items.shift()
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item)
  }

  /** What has come in and was not asked for. */
  get rest(): readonly T[] {
    return this.#items
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what comes over the wire is looked at by the test
export type Frame = any

/** A WebSocket client whose frames are waited for one by one. */
export class SocketClient {
  readonly ws: WebSocket
  readonly #frames = new Queue<Frame>()
  readonly closed: Promise<{ code: number; reason: string }>
  readonly opened: Promise<void>

  constructor(url: string, protocols: string | string[] = [], options: ClientOptions = {}) {
    this.ws = new WebSocket(url.replace(/^http/, 'ws'), protocols, options)
    this.ws.on('message', (data: Buffer, binary) => this.#frames.push(binary ? data : data.toString()))
    this.opened = new Promise((resolve, reject) => {
      this.ws.once('open', resolve)
      this.ws.once('error', reject)
    })
    this.opened.catch(() => {})
    this.closed = new Promise((resolve) => {
      this.ws.once('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
  }

  /** The next frame, parsed. */
  async json(): Promise<Frame> {
    return JSON.parse((await this.#frames.next()) as string)
  }

  /** The next frame: a string, or a Buffer where it is binary. */
  frame(): Promise<string | Buffer> {
    return this.#frames.next()
  }

  get rest(): readonly Frame[] {
    return this.#frames.rest
  }

  send(frame: object | string | Buffer): void {
    this.ws.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame))
  }
}

/** An open WebSocket that ends with the test. */
export async function openSocket(t: Test, url: string, protocols?: string | string[]): Promise<SocketClient> {
  const client = new SocketClient(url, protocols)
  t.teardown(() => client.ws.terminate())
  await client.opened
  return client
}

/** One block of a stream of server-sent events: fields as they stand, or a comment between two of them. */
export interface Block {
  event?: string
  id?: string
  data?: string
  retry?: string
  comment?: string
}

/** A stream of server-sent events whose blocks are waited for one by one. */
export class StreamClient {
  readonly response: Response
  readonly #blocks = new Queue<Block>()
  readonly ended: Promise<void>
  readonly #abort: AbortController

  constructor(response: Response, abort: AbortController) {
    this.response = response
    this.#abort = abort
    this.ended = this.#read().catch(() => {})
  }

  async #read(): Promise<void> {
    let text = ''
    let block: string[] = []
    try {
      for await (const part of this.response.body!.pipeThrough(new TextDecoderStream())) {
        const lines = (text + part).split('\n')
        text = lines.pop()!
        for (const line of lines) {
          if (line !== '' && (line[0] !== ':' || block.length > 0)) {
            block.push(line)
            continue
          }
          this.#blocks.push(parseBlock(line === '' ? block : [line]))
          block = []
        }
      }
    } finally {
      // A `retry:` counts without an empty line.
      if (block.length > 0) this.#blocks.push(parseBlock(block))
    }
  }

  next(): Promise<Block> {
    return this.#blocks.next()
  }

  get rest(): readonly Block[] {
    return this.#blocks.rest
  }

  close(): void {
    this.#abort.abort()
  }
}

function parseBlock(lines: readonly string[]): Block {
  const block: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon) || 'comment'
    const value = line.slice(colon + 1).replace(/^ /, '')
    block[name] = name in block ? `${block[name]}\n${value}` : value
  }
  return block
}

/** An open stream of server-sent events that ends with the test. */
export async function openStream(
  t: Test,
  url: string,
  headers: Record<string, string> = {},
): Promise<StreamClient> {
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  return new StreamClient(await fetch(url, { headers, signal: abort.signal }), abort)
}

/** Publishes over the wire; the answer's body, parsed. */
export async function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { 'content-type': 'text/plain' },
): Promise<{ status: number; body: Frame }> {
  const response = await fetch(url, { method: 'POST', body, headers })
  return { status: response.status, body: await response.json() }
}

/** A bare TCP connection that ends with the test, for what no client would send. */
export async function openRaw(
  t: Test,
  port: number,
): Promise<{ socket: Socket; until(mark: string): Promise<string> }> {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const parts: string[] = []
  let look = (_part: string) => {}
  socket.setEncoding('latin1')
  socket.on('error', () => {})
  socket.on('data', (part: string) => {
    parts.push(part)
    look(part)
  })
  socket.on('close', () => look(''))
  await new Promise((resolve) => socket.once('connect', resolve))
  return {
    socket,
    /** All that has come in once it holds this; or, where it never does, once the other side has closed. */
    until: (mark) =>
      new Promise((resolve) => {
        let tail = ''
        // All of it is put together once: at each part that would take the square of its length.
        look = (part) => {
          tail += part
          if (tail.includes(mark) || socket.destroyed) resolve(parts.join(''))
          tail = tail.slice(-mark.length)
        }
        look(parts.join(''))
      }),
  }
}

/** Until it is so, for what nobody announces. */
export async function until(so: () => boolean): Promise<void> {
  while (!so()) await turn()
}
