import * as zlib from 'node:zlib'

/** The polynomial of CRC-32, reversed (RFC 1952 section 8). */
const POLYNOMIAL = 0xedb88320

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
  return value
})

/** CRC-32 of bytes, for Node before 20.15. */
export function tableCrc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

/** CRC-32 of bytes: Node's own from 20.15 on. */
export const crc32: (bytes: Uint8Array) => number = zlib.crc32 ?? tableCrc32

/** The product of two polynomials over GF(2), modulo that of CRC-32. The highest bit is x^0. */
function multiply(a: number, b: number): number {
  let product = 0
  let factor = b
  for (let bit = a | 0; bit !== 0; bit <<= 1) {
    if (bit < 0) product ^= factor
    factor = factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1
  }
  return product >>> 0
}

/** x^(2^n), for n up to 31. */
const POWERS: number[] = [1 << 30]
for (let n = 1; n < 32; n++) POWERS.push(multiply(POWERS[n - 1]!, POWERS[n - 1]!))

/** The multiplier of a checksum that is followed by `bytes` bytes: x^(8 * bytes). */
export function shiftOf(bytes: number): number {
  let shift = 1 << 31
  for (let left = bytes, n = 3; left > 0; left = Math.floor(left / 2), n = (n + 1) % 32) {
    if (left % 2 === 1) shift = multiply(POWERS[n]!, shift)
  }
  return shift >>> 0
}

/**
 * CRC-32 of a concatenation.
 * @param first CRC-32 of the first part
 * @param second CRC-32 of the second part
 * @param shift `shiftOf` the length of the second part
 */
export function combine(first: number, second: number, shift: number): number {
  return (multiply(shift, first) ^ second) >>> 0
}
