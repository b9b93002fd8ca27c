import { constants, deflateRawSync } from 'node:zlib'

/**
 * Maximum bytes of a message that is compressed. Compression is synchronous, which keeps the order of messages. A
 * larger message would block the event loop for too long.
 */
const MOST = 256 * 1024

/** The compressor's window: 2^13 bytes. */
export const WINDOW_BITS = 13

/**
 * Options of the compressor, which is created for each message. With zlib's defaults it takes 256 KiB, whose allocation
 * dominates the time of a small message. A quarter of that compresses 16 KiB of JSON as well.
 */
const OPTIONS = { windowBits: WINDOW_BITS, memLevel: 6, finishFlush: constants.Z_SYNC_FLUSH }

/**
 * Compresses each message separately. No block refers to earlier data, so that all readers share the same bytes, and no
 * length reveals what two messages have in common.
 */
export class Compressor {
  readonly #threshold: number

  /** @param threshold bytes below which a message is not compressed */
  constructor(threshold: number) {
    this.#threshold = threshold
  }

  /**
   * @returns deflate blocks (RFC 1951), none of them final, aligned to a byte; undefined if the message is sent
   * uncompressed
   */
  deflate(bytes: Buffer): Buffer | undefined {
    const { length } = bytes
    if (length < this.#threshold || length > MOST) return undefined
    const blocks = deflateRawSync(bytes, { ...OPTIONS, chunkSize: Math.min(Math.max(length, 64), 16_384) })
    return blocks.length < length ? blocks : undefined
  }
}
