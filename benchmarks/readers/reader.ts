import { connect, type Socket } from 'node:net'
import { now } from '../clock.ts'
import type { Transport } from '../model/requirements.ts'
import { indexOf } from '../payload.ts'
import { headersOf, type Profile } from '../profiles.ts'

/** The address of the routes. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  /** The prefix of the routes, without a trailing slash. */
  readonly path: string
}

export type { Transport }

/** Counters of all readers in a process. */
export interface Counters {
  requests: number
  /** Responses without messages. */
  empty: number
  connections: number
  deliveries: number
  /** Bytes of received envelopes. */
  envelopes: number
  /** Bytes of closed connections. */
  up: number
  down: number
}

/** State that the readers of a process share. */
export interface ReaderContext {
  readonly target: Endpoint
  readonly profile: Profile
  /** Seconds. */
  readonly interval: number
  /** Whether a poll waits for the interval after its response instead of its request. */
  readonly pause: boolean
  /** Seconds. */
  readonly wait: number
  /** Whether all readers process data in the turn in which it arrived, even those that send nothing. */
  readonly prompt?: boolean
  readonly tally: Counters
  /** Seconds from request to request; polling only. */
  readonly cycles: number[]
  readonly open: Set<Socket>
  /** Reports an error. */
  readonly fault: (text: string) => void
  /** Reports a delivered message. */
  readonly deliver: (reader: number, index: number, at: number) => void
}

/** One subscriber. */
export interface Reader {
  /** Resolves when the reader is subscribed: it receives every message published from then on. */
  readonly ready: Promise<void>
  /** Closes the connection. Later data and errors are ignored. */
  stop(): void
}

type Take = (part: Buffer, at: number) => void

let parts: [Take, Buffer, number][] = []

/** Number of reads, and the microseconds spent processing them. */
export const processing = { reads: 0, looked: 0 }

/** Processes all received data. */
export function processReceived(): void {
  const all = parts
  parts = []
  const begun = now()
  for (const [take, part, at] of all) take(part, at)
  processing.reads += all.length
  processing.looked += now() - begun
}

/** Milliseconds: longer than most rows. */
const LATER = 5

/**
 * Defers the processing of received data. Real readers run in separate processes, so the work of one must not delay the
 * next. The arrival time is recorded at once. Readers that send a response process the data after all sockets of this
 * turn were read, the others after the row.
 */
function later(take: Take, part: Buffer, at: number, answers: boolean): void {
  if (parts.push([take, part, at]) > 1) return
  if (answers) setImmediate(processReceived)
  else setTimeout(processReceived, LATER)
}

/**
 * The buffer that all connections of the process read into; each copies its data. That takes a third of the time that
 * buffers of the stream take, and this process must not slow down a row of readers.
 */
const READ = Buffer.alloc(65_536)

/** Callbacks of a reader's connection. */
interface ConnectionHandlers {
  /** Receives data, and the time at which it arrived. */
  readonly data: (part: Buffer, at: number) => void
  /** Whether the reader sends a request after each response. */
  readonly answers: boolean
  /** The server closed the connection. @returns whether that is expected and handled */
  readonly closed?: () => boolean
}

/** A reader's connection, which may be reopened. Counts its bytes. */
export class ReaderConnection {
  readonly common: ReaderContext
  readonly #use: ConnectionHandlers
  #socket!: Socket
  #stopped = false

  constructor(common: ReaderContext, use: ConnectionHandlers) {
    this.common = common
    this.#use = use
    this.open()
  }

  get socket(): Socket {
    return this.#socket
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** Opens a new connection that replaces the closed one. */
  open(): void {
    const { common } = this
    const { data, answers, closed = () => false } = this.#use
    const { host, port } = common.target
    const socket = connect({
      host,
      port,
      noDelay: true,
      onread: { buffer: READ, callback: (size) => got(size) },
    })
    this.#socket?.destroy()
    this.#socket = socket
    common.tally.connections++
    common.open.add(socket)
    const current = () => this.#socket === socket && !this.#stopped
    const take = (part: Buffer, at: number) => {
      if (!current()) return
      try {
        data(part, at)
      } catch (error) {
        this.fail((error as Error).message)
      }
    }
    const got = (size: number) => {
      const at = now()
      later(take, Buffer.from(READ.subarray(0, size)), at, answers)
      return true
    }
    let broken: Error | undefined
    socket.on('error', (error) => {
      broken = error
    })
    socket.on('close', () => {
      processReceived()
      common.tally.up += socket.bytesWritten - socket.writableLength
      common.tally.down += socket.bytesRead
      common.open.delete(socket)
      if (current() && !closed()) {
        this.fail(broken === undefined ? 'The server closed a connection' : reasonOf(broken))
      }
    })
  }

  request(kind: Transport, query: string, more = ''): void {
    const { path, host, port } = this.common.target
    this.common.tally.requests++
    this.#socket.write(
      `GET ${path}/${kind}?${query} HTTP/1.1\r\n${headersOf(this.common.profile, kind, `${host}:${port}`)}${more}\r\n`,
    )
  }

  fail(text: string): void {
    if (this.#stopped) return
    this.stop()
    this.common.fault(text)
  }

  stop(): void {
    this.#stopped = true
    this.#socket.destroy()
  }
}

/** Returns the text for a failed connection, with the remedy if known. */
export function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === 'EMFILE' || code === 'ENFILE'
    ? `Can't open more connections (${code}): raise the limit with ulimit -n, or reduce --subscribers`
    : message
}

const DATA = '"data":"'

/**
 * Reports all messages in a text of envelopes.
 * @returns their number
 */
export function deliverAll(common: ReaderContext, reader: number, text: string, at: number): number {
  let count = 0
  for (let found = text.indexOf(DATA); found !== -1; found = text.indexOf(DATA, found + DATA.length)) {
    common.deliver(reader, indexOf(text, found + DATA.length), at)
    count++
  }
  common.tally.deliveries += count
  return count
}

/** A promise with its resolve function. */
export function deferred(): { promise: Promise<void>; open: () => void } {
  let open!: () => void
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}
