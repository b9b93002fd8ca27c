import { constants, deflateRawSync } from 'node:zlib'

/**
 * Bytes above which a message goes out as it is: it is compressed in the turn in which it is handed out, so that the
 * order of a reader's messages needs no looking after, and a larger one would keep everybody else waiting.
 */
const MOST = 256 * 1024

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
    const blocks = deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
    return blocks.length < length ? blocks : undefined
  }
}
