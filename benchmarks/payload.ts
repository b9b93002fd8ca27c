/** A payload: the message's number in its channel, followed by padding. All ASCII, so one byte is one character. */

const DIGITS = 8

/** Minimum bytes of a payload. */
export const LEAST_PAYLOAD = DIGITS

/** Maximum messages per channel. */
export const MOST_MESSAGES = 10 ** DIGITS

export function payloadOf(index: number, size: number): string {
  return String(index).padStart(DIGITS, '0').padEnd(size, 'x')
}

/** Returns the number of the message with a payload at this position, or NaN. */
export function indexOf(text: string, at: number): number {
  const digits = text.slice(at, at + DIGITS)
  return /^[0-9]{8}$/.test(digits) ? Number(digits) : Number.NaN
}
