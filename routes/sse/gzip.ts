import type { Batch, Encoder } from '../../bus/batch.ts'
import type { Compressor } from '../http/compressor.ts'
import { combine, crc32, shiftOf } from '../http/crc32.ts'
import { chunk, envelopeEventsOf, payloadEventsOf } from './encoder.ts'

/** A part of any stream in gzip's format, whatever stands before it. */
export interface Part {
  /** As they go over the wire. */
  readonly bytes: Buffer
  /** Bytes of what it carries, their checksum, and what moves the checksum of those before. */
  readonly size: number
  readonly crc: number
  readonly shift: number
}

/** What begins each stream: deflate, no name, no time, and an unknown system (RFC 1952 section 2.3). */
const HEAD = Buffer.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255)

/** The last block, which is empty (RFC 1951 section 3.2.6). */
const LAST_BLOCK = Buffer.of(3, 0)

/** The most bytes of a block that is not compressed. */
const MOST_STORED = 65_535

/** Appends bytes as they are, in blocks that are not compressed (RFC 1951 section 3.2.4). */
function store(bytes: Buffer, blocks: Buffer[]): void {
  for (let at = 0; at < bytes.length; at += MOST_STORED) {
    const content = bytes.subarray(at, at + MOST_STORED)
    const head = Buffer.alloc(5)
    head.writeUInt16LE(content.length, 1)
    head.writeUInt16LE(~content.length & 0xffff, 3)
    blocks.push(head, content)
  }
}

/** @param texts each is compressed by itself, or not at all */
function partOf(texts: readonly string[], compressor: Compressor | undefined, chunked: boolean): Part {
  const blocks: Buffer[] = []
  let plain = ''
  for (const text of texts) {
    const deflated = compressor?.deflate(Buffer.from(text))
    if (deflated === undefined) plain += text
    else {
      store(Buffer.from(plain), blocks)
      blocks.push(deflated)
      plain = ''
    }
  }
  store(Buffer.from(plain), blocks)
  const content = Buffer.from(texts.join(''))
  const bytes = Buffer.concat(blocks)
  return {
    bytes: chunked ? chunk(bytes) : bytes,
    size: content.length,
    crc: crc32(content),
    shift: shiftOf(content.length),
  }
}

/** A text as it is. @param chunked whether it is to be a chunk of HTTP/1.1's chunked coding */
export function plainPart(text: string, chunked: boolean): Part {
  return partOf([text], undefined, chunked)
}

/** The encoders of streams in gzip's format, by what they carry. */
export interface GzipEncoders {
  readonly events: Encoder<Part>
  readonly eventsChunk: Encoder<Part>
  readonly rawEvents: Encoder<Part>
  readonly rawEventsChunk: Encoder<Part>
}

export function gzipEncoders(compressor: Compressor): GzipEncoders {
  const make = (name: string, textsOf: (batch: Batch) => string[], chunked: boolean): Encoder<Part> => ({
    name,
    compresses: true,
    encode: (batch) => partOf(textsOf(batch), compressor, chunked),
  })
  return {
    events: make('gzipEvents', envelopeEventsOf, false),
    eventsChunk: make('gzipEventsChunk', envelopeEventsOf, true),
    rawEvents: make('gzipRawEvents', payloadEventsOf, false),
    rawEventsChunk: make('gzipRawEventsChunk', payloadEventsOf, true),
  }
}

/** One stream in gzip's format, of parts that it shares with others: its own are the head and what its trailer says. */
export class Gzip {
  #crc = 0
  #size = 0

  /** The stream's beginning. */
  begin(text: string): Buffer {
    return Buffer.concat([HEAD, this.take(plainPart(text, false))])
  }

  /** @returns the part's bytes, which are to be sent next */
  take({ bytes, size, crc, shift }: Part): Buffer {
    this.#crc = combine(this.#crc, crc, shift)
    this.#size = (this.#size + size) % 2 ** 32
    return bytes
  }

  /** The stream's end: its checksum, and its length modulo 2^32. */
  end(chunked: boolean): Buffer {
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(this.#crc)
    trailer.writeUInt32LE(this.#size, 4)
    const bytes = Buffer.concat([LAST_BLOCK, trailer])
    return chunked ? chunk(bytes) : bytes
  }
}
