import type { Batch, Encoder } from '../../bus/batch.ts'
import { End } from '../../bus/message.ts'
import type { Compressor } from '../http/compressor.ts'

/** Encodes each message as a text frame with its envelope. */
export const frames: Encoder = { name: 'frames', encode: (batch) => joinFrames(envelopeParts(batch)) }

function envelopeParts(batch: Batch): FramePart[] {
  return batch.entries.flatMap((entry) => {
    if (entry instanceof End && entry.end) return textPart(endFrame(entry, batch.cursorOf(entry)))
    if (entry.bare) return []
    const payload = batch.envelopeOf(entry)
    return payload === entry.envelope ? { payload, size: entry.size } : textPart(payload)
  })
}

/** @param cursor the place from which the reader resumes */
export function endFrame(end: End, cursor: string): string {
  return `{"type":"end",${end.members(cursor)}}`
}

/** Encodes payloads without envelopes: bytes as binary frames, anything else as text. The result may be empty. */
export const rawFrames: Encoder = {
  name: 'rawFrames',
  encode: (batch) => joinFrames(payloadParts(batch)),
}

function payloadParts(batch: Batch): FramePart[] {
  return batch.entries
    .filter((entry) => !entry.bare)
    .map((entry) => {
      const { payload } = entry
      return { payload, size: Buffer.byteLength(payload) }
    })
}

/** The encoders of a socket. */
export interface FrameEncoders {
  readonly frames: Encoder
  readonly rawFrames: Encoder
}

/** The encoders of a socket with permessage-deflate (RFC 7692). */
export function deflatedFrames(compressor: Compressor): FrameEncoders {
  const make = (name: string, partsOf: (batch: Batch) => FramePart[]): Encoder => ({
    name,
    compresses: true,
    encode: (batch) => joinFrames(partsOf(batch).map((part) => deflated(part, compressor))),
  })
  return {
    frames: make('deflatedFrames', envelopeParts),
    rawFrames: make('deflatedRawFrames', payloadParts),
  }
}

/** The trailing bytes to remove from compressed data (RFC 7692 section 7.2.1). */
const TAIL = 4

function deflated(part: FramePart, compressor: Compressor): FramePart {
  const { payload } = part
  const blocks = compressor.deflate(Buffer.from(payload))
  if (blocks === undefined) return part
  const bits = bitsOf(part) | RSV1
  return { payload: blocks.subarray(0, -TAIL), size: blocks.length - TAIL, bits }
}

/** Encodes a control message as a text frame. */
export function textFrame(text: string): Buffer {
  return joinFrames([textPart(text)])
}

const FIN_TEXT = 0x81
const FIN_BINARY = 0x82
/** RSV1: the message is compressed (RFC 7692 section 6). */
const RSV1 = 0x40

interface FramePart {
  payload: string | Buffer
  /** Length in bytes. */
  size: number
  /** The first byte of the frame. @default depends on whether the payload is text or bytes */
  bits?: number
}

function bitsOf({ payload }: FramePart): number {
  return typeof payload === 'string' ? FIN_TEXT : FIN_BINARY
}

function textPart(text: string): FramePart {
  return { payload: text, size: Buffer.byteLength(text) }
}

/** Writes frames of a server: unfragmented and unmasked, with a header of 2, 4 or 10 bytes (RFC 6455 section 5.2). */
function joinFrames(parts: readonly FramePart[]): Buffer {
  let total = 0
  for (const { size } of parts) total += size + (size < 126 ? 2 : size < 65_536 ? 4 : 10)
  const bytes = Buffer.allocUnsafe(total)
  let at = 0
  for (const part of parts) {
    const { payload, size } = part
    bytes[at] = part.bits ?? bitsOf(part)
    if (size < 126) {
      bytes[at + 1] = size
      at += 2
    } else if (size < 65_536) {
      bytes[at + 1] = 126
      bytes.writeUInt16BE(size, at + 2)
      at += 4
    } else {
      bytes[at + 1] = 127
      bytes.writeBigUInt64BE(BigInt(size), at + 2)
      at += 10
    }
    if (typeof payload === 'string') bytes.write(payload, at)
    else payload.copy(bytes, at)
    at += size
  }
  return bytes
}
