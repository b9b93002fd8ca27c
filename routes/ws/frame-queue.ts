/** Frames of a client that wait; while there are as many, its socket is not read. */
const MOST = 64

/** A frame of a client. */
export interface Incoming {
  readonly data: Buffer
  readonly binary: boolean
}

const EMPTY = Buffer.alloc(0)

/** Bytes before each frame in the store: its length, and one bit for its kind. */
const HEAD = 4

/**
 * The frames of one client that wait for the one before them, bounded in number and in bytes. More than that may come
 * with what was read last: ten thousand frames stand in 64 KiB. Those behind the first stand in one store, since each
 * in a buffer of its own would take two hundred bytes.
 */
export class FrameQueue {
  readonly #most: number
  #first: Incoming | undefined
  #store = EMPTY
  #start = 0
  #end = 0
  #size = 0
  #bytes = 0

  /** @param bytes that may wait before the socket is no longer read */
  constructor(bytes: number) {
    this.#most = bytes
  }

  /** Whether no more should come. */
  get full(): boolean {
    return this.#size >= MOST || this.#bytes >= this.#most
  }

  /** Whether more may come again. */
  get roomy(): boolean {
    return this.#size < MOST / 2 && this.#bytes < this.#most / 2
  }

  get size(): number {
    return this.#size
  }

  push(data: Buffer, binary: boolean): void {
    // ws gives a part of what was read from the socket, which a small frame would keep in memory as a whole.
    if (this.#size === 0) this.#first = { data: ownBytes(data), binary }
    else this.#put(data, binary)
    this.#size++
    this.#bytes += data.length
  }

  #put(data: Buffer, binary: boolean): void {
    const need = HEAD + data.length
    if (this.#end + need > this.#store.length) {
      const waiting = this.#store.subarray(this.#start, this.#end)
      this.#store = Buffer.allocUnsafeSlow(Math.max(2 * waiting.length, waiting.length + need))
      waiting.copy(this.#store)
      this.#start = 0
      this.#end = waiting.length
    }
    this.#store.writeUInt32LE(data.length * 2 + Number(binary), this.#end)
    data.copy(this.#store, this.#end + HEAD)
    this.#end += need
  }

  /** @returns undefined where none waits */
  shift(): Incoming | undefined {
    if (this.#size === 0) return undefined
    const frame = this.#first ?? this.#take()
    this.#first = undefined
    this.#size--
    this.#bytes -= frame.data.length
    if (this.#size === 0) this.clear()
    return frame
  }

  #take(): Incoming {
    const head = this.#store.readUInt32LE(this.#start)
    const from = this.#start + HEAD
    this.#start = from + (head >>> 1)
    return { data: ownBytes(this.#store.subarray(from, this.#start)), binary: (head & 1) === 1 }
  }

  clear(): void {
    this.#first = undefined
    this.#store = EMPTY
    this.#start = 0
    this.#end = 0
    this.#size = 0
    this.#bytes = 0
  }
}

/** Bytes that keep nothing alive but themselves. */
function ownBytes(data: Buffer): Buffer {
  return data.length === data.buffer.byteLength ? data : Buffer.from(Uint8Array.from(data).buffer)
}
