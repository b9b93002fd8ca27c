import type { Writable } from 'node:stream'
import { ownSocket, plainHandle, takenBytes, waitingBytes } from './node-internals.ts'

/** How a registration writes to sockets: by Node's internals, or by its public API. */
export interface FastPath {
  readonly plainHandle: typeof plainHandle
  readonly ownSocket: typeof ownSocket
  readonly takenBytes: typeof takenBytes
  readonly waitingBytes: typeof waitingBytes
}

/** Bypasses streams and responses. */
export const FAST: FastPath = { plainHandle, ownSocket, takenBytes, waitingBytes }

/** Uses streams and responses. A slow reader is detected by the unwritten bytes of its stream. */
export const PLAIN: FastPath = {
  plainHandle: () => undefined,
  ownSocket: () => undefined,
  takenBytes: (stream: Writable, put = 0) => put - stream.writableLength,
  waitingBytes: (stream: Writable) => stream.writableLength,
}
