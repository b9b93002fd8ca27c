/** Formats bytes and times for people. */

const OPCODES = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' }

/** @param {string} base64 */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
}

/** @param {Uint8Array} bytes */
export function latin1(bytes) {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

/**
 * Returns the size of a request's header lines, without the request line and the final empty line.
 * @param {{ size: number, bytes: string }} piece
 */
export function headersOf({ size, bytes }) {
  return size - latin1(bytesOf(bytes)).indexOf('\r\n') - 4
}

/** A character that is cut off at the end is left out. @param {Uint8Array} bytes */
export function utf8(bytes) {
  return new TextDecoder().decode(bytes, { stream: true })
}

/** Sixteen bytes a line: place, bytes, letters. @param {Uint8Array} bytes */
export function hexDump(bytes) {
  const lines = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16)
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0'))
    const letters = Array.from(row, (byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '·'))
    const left = hex.slice(0, 8).join(' ').padEnd(23)
    const right = hex.slice(8).join(' ').padEnd(23)
    lines.push(`${at.toString(16).padStart(4, '0')}  ${left}  ${right}  ${letters.join('')}`)
  }
  return lines.join('\n')
}

/**
 * Parses the first bytes of a frame (RFC 6455 section 5.2).
 * @param {Uint8Array} bytes
 */
export function frameOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const short = bytes[1] & 0x7f
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
  const length = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short
  const masked = bytes[1] >= 0x80
  const header = 2 + lengthBytes + (masked ? 4 : 0)
  const mask = masked ? bytes.subarray(header - 4, header) : undefined
  const payload = bytes.slice(header)
  if (mask) for (let i = 0; i < payload.length; i++) payload[i] ^= mask[i % 4]
  const opcode = bytes[0] & 0x0f
  return {
    fin: bytes[0] >= 0x80,
    opcode,
    name: OPCODES[opcode] ?? '?',
    masked,
    mask,
    header,
    length,
    payload,
  }
}

/** A head's first line and its headers, by small names. @param {string} text */
export function headOf(text) {
  const [first = '', ...lines] = text.split('\r\n')
  const headers = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { first, headers, status: Number(first.split(' ')[1]) || 0 }
}

/** Three digits from 10 kB on: more would not fit, and say no more. @param {number} count */
export function sizeText(count) {
  if (count < 10_000) return `${count} B`
  if (count < 99_950) return `${(count / 1e3).toFixed(1)} kB`
  if (count < 999_500) return `${(count / 1e3).toFixed(0)} kB`
  return `${(count / 1e6).toFixed(count < 9_995_000 ? 2 : count < 99_950_000 ? 1 : 0)} MB`
}

/** @param {number} ms */
export function timeText(ms) {
  if (ms < 9.95) return `${Math.max(0, ms).toFixed(1)} ms`
  return ms < 999.5 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(ms < 9950 ? 2 : 1)} s`
}
