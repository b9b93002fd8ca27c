import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '../options.ts'
import type { Kind } from '../readers/reader.ts'
import { SHIPPED } from './names.ts'

/** Describes how to start a server that is not part of this package, how to publish to it, and how to read from it. */
export interface Adapter {
  /** Starts the server on 127.0.0.1, in its own process. Set `pid` if another process does the work. */
  start(): Promise<{ port: number; pid?: number | undefined; stop?(): unknown }>
  /** Returns the request that publishes a text to all readers. */
  publish(text: string): Exchange
  /** Starts one reader, for each transport that the server supports. */
  readonly readers: Partial<Record<Kind, (reader: Reading) => void>>
  /** Extracts the message numbers from a received text. By default, every payload that was sent verbatim is found. */
  indexesOf?(text: string): number[]
}

/** A request. The default method is POST if there is a body, otherwise GET. */
export interface Exchange {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Answered {
  readonly status: number
  readonly body: string
  header(name: string): string | undefined
}

/** The API that a reader uses to read. It counts every request and every byte. */
export interface Reading {
  /** The reader's number, from 0. */
  readonly index: number
  /** Reports that the reader is subscribed: it receives every message published from now on. */
  ready(): void
  /** Reports a received text with one or more messages. */
  message(text: string): void
  /** Sends a request. All requests of a reader share one connection and run one after another. */
  request(exchange: Exchange, answered: (answer: Answered) => void): void
  /** Waits for the next polling time, also before the first request. */
  pause(then: () => void): void
  /** Opens an SSE stream. Without `open`, the reader is ready as soon as the response headers arrive. */
  events(path: string, on: { open?(): void; event(data: string, name: string | undefined): void }): void
  /** Opens a WebSocket. `send` sends a text of up to 125 characters. */
  socket(
    path: string,
    on: {
      readonly protocol?: string
      open?(send: (text: string) => void): void
      message(text: string, send: (text: string) => void): void
    },
  ): void
}

/** Resolves the name of a bundled adapter, or a path, to a module URL. */
export function moduleOf(target: string): string {
  const shipped = SHIPPED.find((name) => name === target)
  if (shipped === undefined) return pathToFileURL(resolve(target)).href
  return import.meta.url.replace(/adapter(?=\.\w+$)/, shipped)
}

/** @throws UsageError if the module does not exist, exports no adapter, or imports a package that is not installed */
export async function adapterOf(target: string): Promise<Adapter> {
  const url = moduleOf(target)
  const path = new URL(url)
  try {
    await access(path)
  } catch {
    throw new UsageError(`--target '${target}' is neither a file nor one of ${SHIPPED.join(', ')}`)
  }
  let adapter: Partial<Adapter>
  try {
    adapter = ((await import(url)) as { default?: Partial<Adapter> }).default ?? {}
  } catch (error) {
    const name = /^Cannot find package '([^']+)'/.exec((error as Error).message)?.[1]
    if (name !== undefined)
      throw new UsageError(`--target '${target}' needs the package ${name}: npm install ${name}`)
    throw new UsageError(
      `--target '${target}' can't be loaded: ${(error as Error).message.split('\n', 1)[0]}`,
    )
  }
  const { start, publish, readers } = adapter
  if (typeof start === 'function' && typeof publish === 'function' && Object.keys(readers ?? {}).length > 0) {
    return adapter as Adapter
  }
  throw new UsageError(
    `--target '${target}' must have a default export with start(), publish(text) and readers: { poll, longpoll, sse or ws }`,
  )
}

/** Eight digits that do not follow a digit and that precede the padding or the end of a payload. */
const PAYLOAD = /(?<![0-9])[0-9]{8}(?=x|["\\\s<]|$)/g

export function indexesOf({ indexesOf: own }: Adapter, text: string): number[] {
  return own === undefined ? [...text.matchAll(PAYLOAD)].map(([digits]) => Number(digits)) : own(text)
}

/** Serializes a request as HTTP/1.1. */
export function requestText(
  { path, method, headers = {}, body }: Exchange,
  authority: string,
  more = '',
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
  const verb = method ?? (body === undefined ? 'GET' : 'POST')
  return `${verb} ${path} HTTP/1.1\r\nHost: ${authority}\r\n${lines.join('')}${length}${more}\r\n${body ?? ''}`
}
