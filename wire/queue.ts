/** Frames of a client that wait; while there are as many, its socket is not read. */
const MOST = 64

/** A frame of a client. */
export interface Incoming {
  readonly data: Buffer
  readonly binary: boolean
}

/** The frames of one client that wait for the one before them, bounded in number and in bytes. */
export class FrameQueue {
  readonly #most: number
  #frames: Incoming[] = []
  #bytes = 0

  /** @param bytes that may wait before the socket is no longer read */
  constructor(bytes: number) {
    this.#most = bytes
  }

  /** Whether no more should come. */
  get full(): boolean {
    return this.#frames.length >= MOST || this.#bytes >= this.#most
  }

  /** Whether more may come again. */
  get roomy(): boolean {
    return this.#frames.length < MOST / 2 && this.#bytes < this.#most / 2
  }

  get size(): number {
    return this.#frames.length
  }

  push(data: Buffer, binary: boolean): void {
    // ws gives a part of what was read from the socket, which a small frame would keep in memory as a whole.
    const own = data.length === data.buffer.byteLength ? data : Buffer.from(Uint8Array.from(data).buffer)
    this.#frames.push({ data: own, binary })
    this.#bytes += data.length
  }

  /** @returns undefined where none waits */
  shift(): Incoming | undefined {
    const frame = this.#frames.shift()
    this.#bytes -= frame?.data.length ?? 0
    return frame
  }

  clear(): void {
    this.#frames = []
    this.#bytes = 0
  }
}
