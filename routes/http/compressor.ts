import { constants, deflateRawSync } from 'node:zlib'

/**
 * Bytes above which a message goes out as it is: it is compressed in the turn in which it is handed out, so that the
 * order of a reader's messages needs no looking after, and a larger one would keep everybody else waiting.
 */
const MOST = 256 * 1024

/** The window of the compressor: 2^13 bytes. */
export const WINDOW_BITS = 13

/**
 * Each message has a compressor of its own. With zlib's defaults it takes 256 KiB, and most of the time of a small
 * message goes into getting them. A quarter of that compresses JSON of 16 KiB as well.
 */
const OPTIONS = { windowBits: WINDOW_BITS, memLevel: 6, finishFlush: constants.Z_SYNC_FLUSH }

/**
 * Compresses messages, each by itself: no block refers to what stands before it, so that the same bytes go to all
 * readers, whatever each has had; and what a message has in common with another shows in no length.
 */
export class Compressor {
  readonly #threshold: number

  /** @param threshold bytes of a message below which it goes out as it is */
  constructor(threshold: number) {
    this.#threshold = threshold
  }

  /**
   * @returns blocks of the deflate format (RFC 1951), none of them the last, which end where a byte does; undefined
   * where the message is to go out as it is
   */
  deflate(bytes: Buffer): Buffer | undefined {
    const { length } = bytes
    if (length < this.#threshold || length > MOST) return undefined
    const blocks = deflateRawSync(bytes, { ...OPTIONS, chunkSize: Math.min(Math.max(length, 64), 16_384) })
    return blocks.length < length ? blocks : undefined
  }
}
