import { executionAsyncResource } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { ERR_FASTIFY } from '../../bus/errors.ts'

/*
 * Every use of internals of node:http and node:net. Each has a guard that falls back to the public API, and a test that
 * fails if a new version of Node removes the internal.
 */

/** The handle of a socket. `net.Socket` reads it for its own timeout. */
interface Handle {
  bytesWritten?: number
  writeQueueSize?: number
  writeBuffer?: (request: WriteRequest, bytes: Buffer) => number
}

/** The handle of a TCP socket. */
export type Plain = Required<Handle>

/** The request object of a write. libuv calls it if the write did not complete at once. */
interface WriteRequest {
  oncomplete?: (status: number) => void
  buffer?: Buffer
}

function handleOf(stream: Writable): Handle | null | undefined {
  return (stream as { _handle?: Handle | null })._handle
}

/**
 * Bytes of a stream that the kernel has accepted. The number does not change while the other side reads nothing.
 * `bytesWritten` counts a write before the kernel has accepted all of it, so a slow reader would look dead during a
 * large write. The fallback subtracts the queue.
 * @param put total bytes written to the stream, for the fallback
 */
export function takenBytes(stream: Writable, put = 0): number {
  const handle = handleOf(stream)
  if (typeof handle?.bytesWritten === 'number' && typeof handle.writeQueueSize === 'number') {
    return handle.bytesWritten - handle.writeQueueSize
  }
  return put - stream.writableLength
}

/** Bytes written to a stream, or bypassing it, that the kernel has not accepted. */
export function waitingBytes(stream: Writable): number {
  return Math.max(stream.writableLength, handleOf(stream)?.writeQueueSize ?? 0)
}

/**
 * The handle for writes that bypass a stream: that of a TCP socket without a layer such as TLS.
 */
export function plainHandle(stream: Writable): Plain | undefined {
  const handle = handleOf(stream)
  return handle?.constructor.name === 'TCP' && 'writeBuffer' in handle && 'writeQueueSize' in handle
    ? (handle as Plain)
    : undefined
}

let Request: (new () => WriteRequest) | undefined

/**
 * Writes to a TCP socket and bypasses its stream, whose bookkeeping would add a fifth to the cost. Allowed only if
 * nothing waits in the stream, which the caller checks, or in libuv. Later writes to the stream follow in order.
 * @param writer called when the kernel has accepted the bytes, if that was not at once
 * @returns `waits`: not accepted at once; `refused`: write to the stream instead
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
  // Never a used request: after a partial write, libuv still owns it.
  const request = new Request()
  // The stream will get the same error and emit it. The same holds for a closed socket.
  if (handle.writeBuffer(request, bytes) !== 0) return 'refused'
  if (handle.writeQueueSize === 0) return 'taken'
  request.buffer = bytes
  request.oncomplete = (status) => (status === 0 ? writer.written() : writer.failed())
  return 'waits'
}

/** The class of write requests is not public. The stream's next write reveals it. */
function learnRequest(handle: Plain): void {
  const { writeBuffer } = handle
  handle.writeBuffer = (request, bytes) => {
    Request = request.constructor as new () => WriteRequest
    handle.writeBuffer = writeBuffer
    return handle.writeBuffer(request, bytes)
  }
}

/**
 * The socket of a response whose head and first chunk are written. Undefined if this package cannot write the chunks:
 * over HTTP/2, for an HTTP/1.0 client, and while an earlier response of a pipeline owns the socket.
 */
export function ownSocket(response: ServerResponse): Socket | undefined {
  const { socket, chunkedEncoding } = response
  return chunkedEncoding && socket instanceof Socket && response.writableLength === socket.writableLength
    ? socket
    : undefined
}

/** The stream whose buffer and 'drain' belong to a response. */
export function plainStream(response: ServerResponse): Writable {
  return 'stream' in response ? (response.stream as Writable) : response
}

/** The stream under a WebSocket: the upgraded socket, or the stream of an injected request. */
export function streamOf(request: IncomingMessage, ws: object): Writable {
  return request.socket ?? (ws as { _socket?: Writable })._socket!
}

/**
 * Releases the inflater of ws, which would keep about 60 kB from a client's first compressed message to the socket's
 * end. Call it after a complete message. The fallback keeps it.
 */
export function dropInflater(ws: object): void {
  const { _extensions } = ws as { _extensions?: Record<string, { cleanup?: () => void } | undefined> }
  _extensions?.['permessage-deflate']?.cleanup?.()
}

/** Bytes received. Unknown for an injected request. */
export function receivedBytes(stream: Writable): number | undefined {
  return (stream as Partial<Socket>).bytesRead
}

/**
 * Reserves buffer space for a pending answer, so that node:http reads no further requests of its connection. The
 * fallback reserves nothing: requests are still read.
 * @returns a function that releases the space
 */
export function reserve(response: ServerResponse): () => void {
  const { _onPendingData: count } = response as { _onPendingData?: (bytes: number) => void }
  if (typeof count !== 'function') return () => {}
  const bytes = response.req.socket.writableHighWaterMark
  count(bytes)
  return () => count(-bytes)
}

/** The response that owns the connection: the first of a pipeline. */
export function responseOn(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

/**
 * Node pauses a connection with queued answers, and resumes it after they have drained, even if the connection was
 * detached in between: its bytes would be lost.
 */
export function stopResuming(socket: Duplex): void {
  const paused = socket as { _paused?: boolean }
  if (paused._paused) paused._paused = false
}

/** Forwards 'drain' of a detached connection to its response, as Node does for attached ones. */
export function tellDrained(socket: Duplex): void {
  const response = responseOn(socket) as
    | (ServerResponse & { _onPendingData?: (more: number) => void })
    | undefined
  response?._onPendingData?.(0)
}

type Rewriter = (this: FastifyInstance, request: IncomingMessage) => string

/**
 * The URL that the app's router uses, which `rewriteUrl` may change.
 * @throws TIDINGS_ERR_FASTIFY if it is unknown: sockets would be routed differently from other routes
 */
export function rewriterOf(app: FastifyInstance): (request: IncomingMessage) => string {
  // Only the root app has the options; scopes inherit from it.
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
 * Keeps one tick object of each hidden class of `process.nextTick` alive. If none is alive at a garbage collection, V8
 * drops the hidden classes, and Node 20 then defines each property of later ticks by a slow call: a tenth of the CPU of
 * a busy server.
 */
const ticks: object[] = []
const keepTick = () => ticks.push(executionAsyncResource())
process.nextTick(keepTick)
process.nextTick(keepTick, 1)
