import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '../options.ts'
import type { Transport } from '../readers/reader.ts'
import { BUNDLED } from './names.ts'

/**
 * The default export of a module for --target. It describes how to start a server that is not part of this package, how
 * to publish to it, and how to read from it.
 */
export interface Adapter {
  /**
   * Starts the server in its own process. It must listen on 127.0.0.1 over plain HTTP/1.1.
   * @returns the TCP `port`; `pid` of the process whose CPU time is measured (default: the process that calls `start`);
   *   `stop`, which stops everything that `start` started (default: nothing). `stop` may return a promise
   * @throws any error, which ends the run
   */
  start(): Promise<StartedServer>
  /**
   * Returns the request that publishes a text to all readers. The server must answer it with a status from 200 to 299.
   * @param text `--payload` bytes of ASCII: the number of the message in eight digits, then padding
   */
  publish(text: string): AdapterRequest
  /** Starts one reader, for each transport that the server supports. At least one. */
  readonly readers: Partial<Record<Transport, (reader: ReaderApi) => void>>
  /**
   * Returns the numbers of the messages in a text that was passed to `reader.message`, in order.
   * @default finds every payload that was sent verbatim
   */
  indexesOf?(text: string): number[]
}

export interface StartedServer {
  readonly port: number
  readonly pid?: number | undefined
  stop?(): unknown
}

/** An HTTP request. Host, Content-Length and the handshake of a WebSocket are added. */
export interface AdapterRequest {
  /** Path and query, beginning with a slash. */
  readonly path: string
  /** @default POST with a body, otherwise GET */
  readonly method?: string
  /** @default none */
  readonly headers?: Readonly<Record<string, string>>
  /** @default none */
  readonly body?: string
}

/** An HTTP response with a content-length or without a body. Others, and compressed ones, make the round fail. */
export interface AdapterResponse {
  readonly status: number
  /** The body as latin1: one character per byte. Empty if there is none. */
  readonly body: string
  /** Returns a header's value, or undefined. @param name in any case */
  header(name: string): string | undefined
}

/**
 * The API that a reader uses to read. It counts every request and every byte. An error that a callback throws stops the
 * reader and makes the round fail.
 */
export interface ReaderApi {
  /** The reader's number, from 0. */
  readonly index: number
  /** Reports that the reader is subscribed: it receives every message published from now on. Required once. */
  ready(): void
  /** Reports a received text with any number of messages. Duplicates and wrong order count as failures. */
  message(text: string): void
  /**
   * Sends a request. All requests of a reader share one connection and run one after another. If the server has closed
   * the connection after a response, the next request opens a new one.
   */
  request(request: AdapterRequest, answered: (response: AdapterResponse) => void): void
  /**
   * Waits for the next polling time, also before the first request: --poll-interval after the call, for the first one a
   * random part of it.
   */
  pause(then: () => void): void
  /**
   * Opens an SSE stream. The round fails if the status is not 200.
   * @param on `open` is called when the response headers have arrived (default: `ready`); `event` receives the data of
   *   each event that has any, and its name
   */
  events(path: string, on: { open?(): void; event(data: string, name: string | undefined): void }): void
  /**
   * Opens a WebSocket. Pings are answered. The round fails if the handshake fails or the server closes the connection.
   * @param on `protocol` is the subprotocol to request (default: none); `open` is called after the handshake (default:
   *   `ready`); `message` receives each unfragmented text or binary message as latin1; `send` sends a text of up to 125 ASCII
   *   characters
   */
  socket(
    path: string,
    on: {
      readonly protocol?: string
      open?(send: (text: string) => void): void
      message(text: string, send: (text: string) => void): void
    },
  ): void
}

/** Returns the module URL of a bundled adapter's name, or of a path relative to the working directory. */
export function moduleOf(target: string): string {
  const shipped = BUNDLED.find((name) => name === target)
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
    throw new UsageError(`--target '${target}' is neither a file nor one of ${BUNDLED.join(', ')}`)
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

/** The pattern of a payload: eight digits that do not follow a digit and that precede the padding or the end of a payload. */
const PAYLOAD = /(?<![0-9])[0-9]{8}(?=x|["\\\s<]|$)/g

/** Returns the message numbers in a text, as the adapter finds them. */
export function indexesOf({ indexesOf: own }: Adapter, text: string): number[] {
  return own === undefined ? [...text.matchAll(PAYLOAD)].map(([digits]) => Number(digits)) : own(text)
}

/** Serializes a request as HTTP/1.1. */
export function requestText(
  { path, method, headers = {}, body }: AdapterRequest,
  authority: string,
  more = '',
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
  const verb = method ?? (body === undefined ? 'GET' : 'POST')
  return `${verb} ${path} HTTP/1.1\r\nHost: ${authority}\r\n${lines.join('')}${length}${more}\r\n${body ?? ''}`
}
