import type { Writable } from 'node:stream'
import { ownSocket, plainHandle, takenBytes, waitingBytes } from './node-internals.ts'

/** Where a registration writes to, and what it knows of a socket: by Node's insides, or by its public API alone. */
export interface FastPath {
  readonly plainHandle: typeof plainHandle
  readonly ownSocket: typeof ownSocket
  readonly takenBytes: typeof takenBytes
  readonly waitingBytes: typeof waitingBytes
}

/** Past streams and responses, to what lies under them. */
export const FAST: FastPath = { plainHandle, ownSocket, takenBytes, waitingBytes }

/** Through streams and responses. A slow reader is judged by what its stream has not written. */
export const PLAIN: FastPath = {
  plainHandle: () => undefined,
  ownSocket: () => undefined,
  takenBytes: (stream: Writable, put = 0) => put - stream.writableLength,
  waitingBytes: (stream: Writable) => stream.writableLength,
}
