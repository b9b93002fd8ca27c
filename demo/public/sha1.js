/** SHA-1 (FIPS 180-4), for the WebSocket handshake, where it has no security function. */

/**
 * Uses WebCrypto where it exists, which is in secure contexts only, and otherwise the function below.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {SubtleCrypto | null} [subtle]
 * @returns {Promise<{ bytes: Uint8Array, by: 'WebCrypto' | 'JavaScript' }>}
 */
export async function digest(bytes, subtle = globalThis.crypto.subtle) {
  return subtle
    ? { bytes: new Uint8Array(await subtle.digest('SHA-1', bytes)), by: 'WebCrypto' }
    : { bytes: sha1(bytes), by: 'JavaScript' }
}

/**
 * @param {Uint8Array} bytes
 * @returns {Uint8Array} 20 bytes
 */
export function sha1(bytes) {
  // Padding: a one bit, zeros, and the length in bits, up to a multiple of 64 bytes.
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setBigUint64(padded.length - 8, BigInt(bytes.length) * 8n)

  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0)
  const words = new Uint32Array(80)
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(block + 4 * i)
    for (let i = 16; i < 80; i++) {
      words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1)
    }
    let [a, b, c, d, e] = state
    for (let i = 0; i < 80; i++) {
      const [mixed, constant] = round(i, b, c, d)
      const next = (rotate(a, 5) + mixed + e + constant + words[i]) >>> 0
      e = d
      d = c
      c = rotate(b, 30)
      b = a
      a = next
    }
    for (const [i, value] of [a, b, c, d, e].entries()) state[i] += value
  }
  const result = new DataView(new ArrayBuffer(20))
  for (const [i, value] of state.entries()) result.setUint32(4 * i, value)
  return new Uint8Array(result.buffer)
}

function round(i, b, c, d) {
  if (i < 20) return [(b & c) | (~b & d), 0x5a827999]
  if (i < 40) return [b ^ c ^ d, 0x6ed9eba1]
  if (i < 60) return [(b & c) | (b & d) | (c & d), 0x8f1bbcdc]
  return [b ^ c ^ d, 0xca62c1d6]
}

function rotate(word, by) {
  return ((word << by) | (word >>> (32 - by))) >>> 0
}
