import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import type { WebSocket } from 'ws'

/*
 * All that leans on the insides of node:http and node:net, each with a guard that falls back to the public API, and
 * a test that fails when an upgrade of Node takes the inside away.
 */

/** What libuv keeps of a socket. `net.Socket` itself reads it for its own timeout. */
interface Handle {
  bytesWritten?: number
  writeQueueSize?: number
}

/**
 * How many bytes the kernel has taken of what was written to a stream: a figure that stands still while the other
 * side takes nothing. `bytesWritten` counts a write as a whole, before the kernel has taken all of it; a slow but
 * living reader would look dead for as long as one large write takes. The fallback is what is left of the queue.
 */
export function takenBytes(stream: Writable): number {
  const handle = (stream as { _handle?: Handle | null })._handle
  if (typeof handle?.bytesWritten === 'number' && typeof handle.writeQueueSize === 'number') {
    return handle.bytesWritten - handle.writeQueueSize
  }
  return -stream.writableLength
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
export function streamOf(request: IncomingMessage, ws: WebSocket): Writable {
  return request.socket ?? (ws as unknown as { _socket: Writable })._socket
}

/** How many bytes have come in. Unknown, in a test by injection. */
export function receivedBytes(request: IncomingMessage): number | undefined {
  return (request.socket as Socket | undefined)?.bytesRead
}

/** The response that is being written to a connection: the first of a pipeline. */
export function responseOn(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}
