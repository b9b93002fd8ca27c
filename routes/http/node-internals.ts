import { executionAsyncResource } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { ERR_FASTIFY } from '../../bus/errors.ts'

/*
 * All that leans on the insides of node:http and node:net, each with a guard that falls back to the public API, and
 * a test that fails when an upgrade of Node takes the inside away.
 */

/** What libuv keeps of a socket. `net.Socket` itself reads it for its own timeout. */
interface Handle {
  bytesWritten?: number
  writeQueueSize?: number
  writeBuffer?: (request: WriteRequest, bytes: Buffer) => number
}

/** That of a TCP socket. */
export type Plain = Required<Handle>

/** What libuv takes with a write, and calls where it could not do it at once. */
interface WriteRequest {
  oncomplete?: (status: number) => void
  buffer?: Buffer
}

function handleOf(stream: Writable): Handle | null | undefined {
  return (stream as { _handle?: Handle | null })._handle
}

/**
 * How many bytes the kernel has taken of what was written to a stream: a figure that stands still while the other
 * side takes nothing. `bytesWritten` counts a write as a whole, before the kernel has taken all of it; a slow but
 * living reader would look dead for as long as one large write takes. The fallback is what is left of the queue.
 * @param put bytes that were written to it in all, for the fallback
 */
export function takenBytes(stream: Writable, put = 0): number {
  const handle = handleOf(stream)
  if (typeof handle?.bytesWritten === 'number' && typeof handle.writeQueueSize === 'number') {
    return handle.bytesWritten - handle.writeQueueSize
  }
  return put - stream.writableLength
}

/** Bytes that were written to a stream, or past it, and that the kernel has not taken. */
export function waitingBytes(stream: Writable): number {
  return Math.max(stream.writableLength, handleOf(stream)?.writeQueueSize ?? 0)
}

/**
 * What to write past a stream to: a TCP socket's own, with nothing between that would change the bytes, as TLS does.
 */
export function plainHandle(stream: Writable): Plain | undefined {
  const handle = handleOf(stream)
  return handle?.constructor.name === 'TCP' && 'writeBuffer' in handle && 'writeQueueSize' in handle
    ? (handle as Plain)
    : undefined
}

let Request: (new () => WriteRequest) | undefined

/**
 * Writes to a plain socket past its stream, for what the write itself costs: the stream's bookkeeping would come to a
 * fifth of it. Only where nothing waits in the stream, which is the caller's affair, and nothing in libuv; what is
 * written to the stream later goes out behind it.
 * @param writer is told when the kernel has taken it, if that was not at once
 * @returns `waits`: it was not taken at once; `refused`: it is to be written to the stream instead
 */
export function writePast(
  handle: Plain,
  bytes: Buffer,
  writer: { written(): void; failed(): void },
): 'taken' | 'waits' | 'refused' {
  if (handle.writeQueueSize > 0) return 'refused'
  if (Request === undefined) {
    learnRequest(handle)
    return 'refused'
  }
  // Never one that has served: what the kernel took in two goes is done, and its request is still libuv's.
  const request = new Request()
  // The stream will meet the same error, and tells of it; so with a socket that has been closed.
  if (handle.writeBuffer(request, bytes) !== 0) return 'refused'
  if (handle.writeQueueSize === 0) return 'taken'
  request.buffer = bytes
  request.oncomplete = (status) => (status === 0 ? writer.written() : writer.failed())
  return 'waits'
}

/** The class of the requests has no public name: the stream's own next write shows it. */
function learnRequest(handle: Plain): void {
  const { writeBuffer } = handle
  handle.writeBuffer = (request, bytes) => {
    Request = request.constructor as new () => WriteRequest
    handle.writeBuffer = writeBuffer
    return handle.writeBuffer(request, bytes)
  }
}

/**
 * The socket of a response whose head and first chunk have been written: what is written to it from now on stands
 * behind them. Undefined where the chunks are not ours to make: over HTTP/2, for an HTTP/1.0 client, and while an
 * earlier response of a pipeline holds the socket.
 */
export function ownSocket(response: ServerResponse): Socket | undefined {
  const { socket, chunkedEncoding } = response
  return chunkedEncoding && socket instanceof Socket && response.writableLength === socket.writableLength
    ? socket
    : undefined
}

/** The stream whose fullness and 'drain' tell of a response. */
export function plainStream(response: ServerResponse): Writable {
  return 'stream' in response ? (response.stream as Writable) : response
}

/** The stream under a WebSocket: the socket that was upgraded, or, in a test by injection, what ws was given. */
export function streamOf(request: IncomingMessage, ws: object): Writable {
  return request.socket ?? (ws as { _socket?: Writable })._socket!
}

/**
 * Lets go of what ws inflates with: it would keep it, with some 60 kB, from a client's first compressed message to the
 * socket's end. To be called where a message has come in whole. The fallback is that.
 */
export function dropInflater(ws: object): void {
  const { _extensions } = ws as { _extensions?: Record<string, { cleanup?: () => void } | undefined> }
  _extensions?.['permessage-deflate']?.cleanup?.()
}

/** How many bytes have come in. Unknown, in a test by injection. */
export function receivedBytes(stream: Writable): number | undefined {
  return (stream as Partial<Socket>).bytesRead
}

/**
 * Counts room for an answer that is still to be made, so that node:http reads no further requests of its connection.
 * The fallback counts nothing: requests go on to be read.
 * @returns what gives the room back
 */
export function reserve(response: ServerResponse): () => void {
  const { _onPendingData: count } = response as { _onPendingData?: (bytes: number) => void }
  /* c8 ignore next -- where Node has taken it away */
  if (typeof count !== 'function') return () => {}
  const bytes = response.req.socket.writableHighWaterMark
  count(bytes)
  return () => count(-bytes)
}

/** The response that is being written to a connection: the first of a pipeline. */
export function responseOn(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

/**
 * Node pauses a connection whose answers queue up, and resumes it when they have drained: also one that it has given
 * away in between, whose bytes nobody would hear then.
 */
export function stopResuming(socket: Duplex): void {
  const paused = socket as { _paused?: boolean }
  if (paused._paused) paused._paused = false
}

/** Has a connection that Node has given away tell its response of its 'drain', as Node does with its own. */
export function tellDrained(socket: Duplex): void {
  const response = responseOn(socket) as
    | (ServerResponse & { _onPendingData?: (more: number) => void })
    | undefined
  response?._onPendingData?.(0)
}

type Rewriter = (this: FastifyInstance, request: IncomingMessage) => string

/**
 * The URL by which an app's router knows a request: `rewriteUrl` may change it.
 * @throws TIDINGS_ERR_FASTIFY where it can't be found out: sockets would be looked for at another place than routes
 */
export function rewriterOf(app: FastifyInstance): (request: IncomingMessage) => string {
  // A scope inherits from its app, which alone has them.
  for (let at: object | null = app; at !== null; at = Object.getPrototypeOf(at)) {
    const key = Object.getOwnPropertySymbols(at).find(({ description }) => description === 'fastify.options')
    const options = key && (at as Record<symbol, { rewriteUrl?: Rewriter } | undefined>)[key]
    if (options === undefined) continue
    const { rewriteUrl } = options
    return rewriteUrl === undefined || rewriteUrl === null
      ? ({ url }) => url!
      : (request) => rewriteUrl.call(at as FastifyInstance, request)
  }
  throw new ERR_FASTIFY()
}

/**
 * Ticks of each shape that `process.nextTick` makes, kept. Where none is alive when the garbage collector looks, V8
 * forgets the shapes, and in Node 20 makes each property of every later tick by a slow call: a tenth of all the time
 * that a busy server works.
 */
const ticks: object[] = []
const keepTick = () => ticks.push(executionAsyncResource())
process.nextTick(keepTick)
process.nextTick(keepTick, 1)
