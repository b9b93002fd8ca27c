/** Maximum waiting frames of a client. At the limit, its socket is not read. */
const MOST = 64

/** A frame of a client. */
export interface Incoming {
  readonly data: Buffer
  readonly binary: boolean
}

const EMPTY = Buffer.alloc(0)

/** Bytes of the header of each stored frame: its length, and one bit for its type. */
const HEAD = 4

/**
 * The waiting frames of a client, bounded in number and bytes. The last read from the socket may exceed the bounds: 64
 * KiB may contain ten thousand frames. All but the first share one buffer, since separate buffers would take two
 * hundred bytes each.
 */
export class FrameQueue {
  readonly #most: number
  #first: Incoming | undefined
  #store = EMPTY
  #start = 0
  #end = 0
  #size = 0
  #bytes = 0

  /** @param bytes maximum waiting bytes. At the limit, the socket is not read */
  constructor(bytes: number) {
    this.#most = bytes
  }

  /** Whether reading must pause. */
  get full(): boolean {
    return this.#size >= MOST || this.#bytes >= this.#most
  }

  /** Whether reading may resume. */
  get roomy(): boolean {
    return this.#size < MOST / 2 && this.#bytes < this.#most / 2
  }

  get size(): number {
    return this.#size
  }

  push(data: Buffer, binary: boolean): void {
    // ws passes a slice of the last read, all of which a small frame would keep in memory.
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

  /** @returns the next frame; undefined if none waits */
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

/** Copies bytes, so that they keep no larger buffer alive. */
function ownBytes(data: Buffer): Buffer {
  return data.length === data.buffer.byteLength ? data : Buffer.from(Uint8Array.from(data).buffer)
}
