import { connect, type Socket } from 'node:net'
import { now } from '../clock.ts'
import { indexOf } from '../payload.ts'
import { headersOf, type Profile } from '../profiles.ts'

/** Where the routes are. */
export interface Target {
  readonly host: string
  readonly port: number
  /** In front of the routes, without a slash at its end. */
  readonly path: string
}

export type Kind = 'poll' | 'longpoll' | 'sse' | 'ws'

/** What all readers of a process have counted. */
export interface Tally {
  requests: number
  /** Answers that carried no message. */
  empty: number
  connections: number
  deliveries: number
  /** Bytes of the envelopes that came. */
  envelopes: number
  /** Bytes of connections that are closed. */
  up: number
  down: number
}

/** What readers of a process share. */
export interface Common {
  readonly target: Target
  readonly profile: Profile
  /** Seconds. */
  readonly interval: number
  /** Whether a poll waits the interval after its answer, not after its request. */
  readonly pause: boolean
  /** Seconds. */
  readonly wait: number
  /** Whether what comes is looked at in the turn in which it came, by readers that have nothing to answer, too. */
  readonly prompt?: boolean
  readonly tally: Tally
  /** Seconds from request to request, for polls. */
  readonly cycles: number[]
  readonly open: Set<Socket>
  /** What went wrong. */
  readonly fault: (text: string) => void
  /** A message has come. */
  readonly deliver: (reader: number, index: number, at: number) => void
}

/** One subscriber. */
export interface Reader {
  /** It has its place: all that is published from here on comes to it. */
  readonly ready: Promise<void>
  /** Nothing of what comes from here on is a fault. */
  stop(): void
}

type Take = (part: Buffer, at: number) => void

let parts: [Take, Buffer, number][] = []

/** How often something was read, and the microseconds that looking at it took. */
export const reading = { reads: 0, looked: 0 }

/** Looks at what has come. */
export function lookAtParts(): void {
  const all = parts
  parts = []
  const begun = now()
  for (const [take, part, at] of all) take(part, at)
  reading.reads += all.length
  reading.looked += now() - begun
}

/** Milliseconds: longer than most rows. */
const LATER = 5

/**
 * A reader's work must not make those behind it look slower than they are, since real ones do not share a process: all
 * that comes is noted with its time, and looked at later. One who has to answer does it when all sockets of this turn
 * were read, the others when the row is over.
 */
function later(take: Take, part: Buffer, at: number, answers: boolean): void {
  if (parts.push([take, part, at]) > 1) return
  if (answers) setImmediate(lookAtParts)
  else setTimeout(lookAtParts, LATER)
}

/**
 * Where all connections of the process read into, each copying what it has got at once: that takes a third of what a
 * stream of buffers takes, and a row of readers must not be paced by the one process that reads for all of them.
 */
const READ = Buffer.alloc(65_536)

/** What a reader makes of its connection. */
interface Use {
  /** Takes what comes, and when its first byte was seen. */
  readonly data: (part: Buffer, at: number) => void
  /** Whether it asks again when it has been answered. */
  readonly answers: boolean
  /** The other side has closed it. @returns whether that is no fault, and all that it asks for */
  readonly closed?: () => boolean
}

/** A reader's connection, one after another where it may be opened again: its bytes are counted. */
export class Line {
  readonly common: Common
  readonly #use: Use
  #socket!: Socket
  #stopped = false

  constructor(common: Common, use: Use) {
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

  /** Opens a new connection in place of the last one, which is closed. */
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
      lookAtParts()
      common.tally.up += socket.bytesWritten - socket.writableLength
      common.tally.down += socket.bytesRead
      common.open.delete(socket)
      if (current() && !closed()) {
        this.fail(broken === undefined ? 'A connection was closed by the other side' : reasonOf(broken))
      }
    })
  }

  request(kind: Kind, query: string, more = ''): void {
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

/** Why a connection is none, and what to do where that is known. */
export function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === 'EMFILE' || code === 'ENFILE'
    ? `No more connections can be opened (${code}): raise the limit with ulimit -n, or ask for fewer --subscribers`
    : message
}

const DATA = '"data":"'

/**
 * Hands on the numbers of all messages in a text of envelopes.
 * @returns how many
 */
export function deliverAll(common: Common, reader: number, text: string, at: number): number {
  let count = 0
  for (let found = text.indexOf(DATA); found !== -1; found = text.indexOf(DATA, found + DATA.length)) {
    common.deliver(reader, indexOf(text, found + DATA.length), at)
    count++
  }
  common.tally.deliveries += count
  return count
}

/** A promise, and what settles it. */
export function gate(): { promise: Promise<void>; open: () => void } {
  let open!: () => void
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}
