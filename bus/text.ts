/** Characters that are copied at once: of longer ones Node would make strings outside the heap. */
const PIECE = 65_536

const scratch = Buffer.allocUnsafeSlow(2 * PIECE)

/** Whether a string takes two bytes a character in V8: one that is not Latin-1. */
const WIDE = /[^\0-\xff]/

/**
 * A copy that stands for itself. A part of a string of 13 characters or more is a view that keeps the whole alive, and
 * two that were joined keep both: a channel's name would keep the URL that it came in. What outlives its request goes
 * through here. It is also as small as it can be: a part of a text with one Chinese character takes two bytes a
 * character, whatever stands in it.
 */
export function detach(text: string): string {
  if (text.length <= PIECE) return copy(text)
  let copied = ''
  for (let i = 0; i < text.length; i += PIECE) copied += copy(text.slice(i, i + PIECE))
  return copied
}

function copy(text: string): string {
  const encoding = WIDE.test(text) ? 'utf16le' : 'latin1'
  return scratch.toString(encoding, 0, scratch.write(text, encoding))
}

/** Bytes of heap that a detached string takes: a header, and its characters, in words. */
export function heapBytes(text: string): number {
  return heapBytesOf(WIDE.test(text) ? 2 * text.length : text.length)
}

/** @param bytes of the characters */
export function heapBytesOf(bytes: number): number {
  return 16 + Math.ceil(bytes / 8) * 8
}
