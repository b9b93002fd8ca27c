/** Characters per copy. Node creates longer strings outside of the heap. */
const PIECE = 65_536

const scratch = Buffer.allocUnsafeSlow(2 * PIECE)

/** Whether V8 stores a string with two bytes per character, because it is not Latin-1. */
const WIDE = /[^\0-\xff]/

/**
 * Copies a string. A slice of 13 characters or more is a view that keeps the whole string alive, and a concatenation
 * keeps both parts: a channel name would keep its request's URL. Copy every string that outlives its request. The copy
 * also takes one byte per character where it can: a slice of a text with one Chinese character takes two.
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

/** Bytes of heap of a detached string: a header and its characters, rounded up to words. */
export function heapBytes(text: string): number {
  return heapBytesOf(WIDE.test(text) ? 2 * text.length : text.length)
}

/** @param bytes of the characters */
export function heapBytesOf(bytes: number): number {
  return 16 + Math.ceil(bytes / 8) * 8
}
