/** Milliseconds for which the server remembers keys: short, so that its heap is flat soon. */
export const KEY_AGE = 180_000
