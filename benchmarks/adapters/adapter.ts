import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '../options.ts'
import type { Kind } from '../readers/reader.ts'
import { SHIPPED } from './names.ts'

/** What makes a server measurable that is none of ours: how it starts, how one publishes to it, and how one reads. */
export interface Adapter {
  /** Listens on 127.0.0.1, in a process of its own. `pid` names another process, where that one does the work. */
  start(): Promise<{ port: number; pid?: number | undefined; stop?(): unknown }>
  /** The request that publishes a text to all readers. */
  publish(text: string): Exchange
  /** How one reader reads, for each transport that the server has. */
  readonly readers: Partial<Record<Kind, (reader: Reading) => void>>
  /** The numbers of the messages in what has come; without it, those of all payloads that stand there as they were sent. */
  indexesOf?(text: string): number[]
}

/** A request. The method is POST where it has a body, else GET. */
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

/** What a reader reads with. All that it sends and gets is counted. */
export interface Reading {
  /** Its number, from 0 on. */
  readonly index: number
  /** It has its place: what is published from here on comes to it. */
  ready(): void
  /** A message, or several of them, as it came. */
  message(text: string): void
  /** Sends a request; requests of one reader go over one connection, one after another. */
  request(exchange: Exchange, answered: (answer: Answered) => void): void
  /** Calls back at a poll's next time: before its first request, too. */
  pause(then: () => void): void
  /** Opens a stream of server-sent events. A reader whose `open` is not given is ready when the answer begins. */
  events(path: string, on: { open?(): void; event(data: string, name: string | undefined): void }): void
  /** Opens a WebSocket; `send` sends a text of 125 characters at most. */
  socket(
    path: string,
    on: {
      readonly protocol?: string
      open?(send: (text: string) => void): void
      message(text: string, send: (text: string) => void): void
    },
  ): void
}

/** The module of a name, or of a path. */
export function moduleOf(target: string): string {
  const shipped = SHIPPED.find((name) => name === target)
  if (shipped === undefined) return pathToFileURL(resolve(target)).href
  return import.meta.url.replace(/adapter(?=\.\w+$)/, shipped)
}

/** @throws UsageError where there is no such module, it is no adapter, or it needs a package that is not installed */
export async function adapterOf(target: string): Promise<Adapter> {
  const url = moduleOf(target)
  const path = new URL(url)
  try {
    await access(path)
  } catch {
    throw new UsageError(`--target '${target}' is no file, and none of ${SHIPPED.join(', ')}`)
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

/** Eight digits that no other stands before, and what fills a payload up or ends it behind them. */
const PAYLOAD = /(?<![0-9])[0-9]{8}(?=x|["\\\s<]|$)/g

export function indexesOf({ indexesOf: own }: Adapter, text: string): number[] {
  return own === undefined ? [...text.matchAll(PAYLOAD)].map(([digits]) => Number(digits)) : own(text)
}

/** A request as it goes over the wire. */
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
