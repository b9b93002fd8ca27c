/** A message's payload: its number in its channel, and as much as is asked for behind it. All ASCII, so that a byte is a character. */

const DIGITS = 8

/** The least that a payload weighs. */
export const LEAST_PAYLOAD = DIGITS

/** The most messages of one channel. */
export const MOST_MESSAGES = 10 ** DIGITS

export function payloadOf(index: number, size: number): string {
  return String(index).padStart(DIGITS, '0').padEnd(size, 'x')
}

/** The number of the message whose payload stands at this place. NaN where none does. */
export function indexOf(text: string, at: number): number {
  const digits = text.slice(at, at + DIGITS)
  return /^[0-9]{8}$/.test(digits) ? Number(digits) : Number.NaN
}
