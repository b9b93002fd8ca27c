import type { Batch, Encoder } from '../../bus/batch.ts'
import type { Compressor } from '../http/compressor.ts'
import { combine, crc32, shiftOf } from '../http/crc32.ts'
import { chunk, envelopeEventsOf, payloadEventsOf } from './encoder.ts'

/** A part of a gzip stream that may follow any other part. */
export interface Part {
  /** The bytes on the wire. */
  readonly bytes: Buffer
  /** Length and CRC-32 of the content, and the multiplier for the CRC of the content before it. */
  readonly size: number
  readonly crc: number
  readonly shift: number
}

/** The header: deflate, no name, no time, unknown system (RFC 1952 section 2.3). */
const HEAD = Buffer.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255)

/** An empty last block (RFC 1951 section 3.2.6). */
const LAST_BLOCK = Buffer.of(3, 0)

/** Maximum bytes of a stored block. */
const MOST_STORED = 65_535

/** Appends bytes as stored blocks (RFC 1951 section 3.2.4). */
function store(bytes: Buffer, blocks: Buffer[]): void {
  for (let at = 0; at < bytes.length; at += MOST_STORED) {
    const content = bytes.subarray(at, at + MOST_STORED)
    const head = Buffer.alloc(5)
    head.writeUInt16LE(content.length, 1)
    head.writeUInt16LE(~content.length & 0xffff, 3)
    blocks.push(head, content)
  }
}

/** @param texts each is compressed separately, or stored */
function partOf(texts: readonly string[], compressor: Compressor | undefined, chunked: boolean): Part {
  const blocks: Buffer[] = []
  let plain: Buffer[] = []
  const contents = texts.map((text) => Buffer.from(text))
  for (const bytes of contents) {
    const deflated = compressor?.deflate(bytes)
    if (deflated === undefined) plain.push(bytes)
    else {
      store(Buffer.concat(plain), blocks)
      blocks.push(deflated)
      plain = []
    }
  }
  store(Buffer.concat(plain), blocks)
  const content = Buffer.concat(contents)
  const bytes = Buffer.concat(blocks)
  return {
    bytes: chunked ? chunk(bytes) : bytes,
    size: content.length,
    crc: crc32(content),
    shift: shiftOf(content.length),
  }
}

/** Stores a text. @param chunked whether to wrap it in a chunk of the chunked coding */
export function plainPart(text: string, chunked: boolean): Part {
  return partOf([text], undefined, chunked)
}

/** The encoders of gzip streams, by form. */
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

/** A gzip stream of shared parts. Only header and trailer are its own. */
export class Gzip {
  #crc = 0
  #size = 0

  /** The header of the stream. */
  begin(text: string): Buffer {
    return Buffer.concat([HEAD, this.take(plainPart(text, false))])
  }

  /** Adds a part to the checksum. @returns its bytes, to be written next */
  take({ bytes, size, crc, shift }: Part): Buffer {
    this.#crc = combine(this.#crc, crc, shift)
    this.#size = (this.#size + size) % 2 ** 32
    return bytes
  }

  /** The last block and the trailer: CRC-32, and length modulo 2^32. */
  end(chunked: boolean): Buffer {
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(this.#crc)
    trailer.writeUInt32LE(this.#size, 4)
    const bytes = Buffer.concat([LAST_BLOCK, trailer])
    return chunked ? chunk(bytes) : bytes
  }
}
